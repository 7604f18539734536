"""Clusters and archives that can't be read as they should.

Beside these: an API server that is not there, no agents, a refused list of Pods, and
another encryption (test_cluster.py), a Secret in a broken format and a store that does
not answer (test_control_plane.py), a refused or hanging command in a pod
(test_agent_exec.py), archives that are none or hold traps (test_archives.py).
"""

import pytest
import yaml

from runbooks.collect.agent_exec import ExecError, ExecRefusedError
from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.cluster import ClusterReader
from runbooks.collect.errors import NotPermittedError, UsageError
from runbooks.collect.node_files import NodeFile
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code, Verdict
from tests.collect.archives import (
    NODES,
    STAMP,
    node_files,
    objects,
    write_folder,
    write_tar,
    write_zip,
)
from tests.collect.test_cluster import (  # noqa: F401 - fixtures
    CILIUM_NODES,
    CONFIG,
    PODS,
    agents,
    api,
    kubeconfig,
)

REFUSED = ExecRefusedError("create on pods/exec", "kube-system")
HANGS = ExecError("its agent did not answer within 60 s")


def read(kubeconfig):  # noqa: F811
    return ClusterReader.connect(kubeconfig).samples(interval_s=0)


@pytest.mark.parametrize(
    ("path", "right"),
    [
        (CILIUM_NODES, "list on ciliumnodes.cilium.io"),
        ("/api/v1/nodes", "list on nodes"),
        (CONFIG, "get on configmap cilium-config in namespace kube-system"),
        (
            "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium",
            "get on daemonset cilium in namespace kube-system",
        ),
    ],
)
def test_missing_right_is_named_by_verb_resource_and_namespace(
    kubeconfig,  # noqa: F811
    agents,  # noqa: F811
    api,  # noqa: F811
    path,
    right,
):
    api.content[path] = 403

    diagnosis = diagnose(read(kubeconfig))

    assert any(f"no right to {right}" in s for s in diagnosis.incomplete)
    assert diagnosis.exit_code == 1
    assert agents["reads"]


def test_no_pod_that_may_be_entered_stops_the_check(kubeconfig, agents):  # noqa: F811
    for node in NODES:
        agents[f"cilium-x{node}"] = REFUSED

    with pytest.raises(NotPermittedError) as stopped:
        read(kubeconfig)

    assert "create on pods/exec in namespace kube-system" in str(stopped.value)


def test_pod_that_may_not_be_entered_is_named_and_hides_no_other(
    kubeconfig,  # noqa: F811
    agents,  # noqa: F811
):
    agents["cilium-xn3"] = REFUSED

    diagnosis = diagnose(read(kubeconfig))

    (sentence,) = [s for s in diagnosis.incomplete if s.startswith("n3:")]
    assert "create on pods/exec in namespace kube-system" in sentence
    assert [(f.source, f.destination) for f in diagnosis.alarming] == [("n1", "n2")]


@pytest.mark.parametrize("failing", [HANGS, REFUSED, ExecError("its pod is gone")])
def test_half_of_the_nodes_unreadable_leaves_what_the_others_tell(
    kubeconfig,  # noqa: F811
    agents,  # noqa: F811
    failing,
):
    healthy = {
        node: {
            name.removeprefix("cmd/").removesuffix(".md"): NodeFile(text)
            for name, text in node_files("healthy", node).items()
        }
        for node in NODES
    }
    agents["cilium-xn1"] = healthy["n1"]
    agents["cilium-xn2"] = failing
    agents["cilium-xn3"] = failing

    diagnosis = diagnose(read(kubeconfig))

    assert diagnosis.verdict is Verdict.UNKNOWN
    assert diagnosis.exit_code == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n2", "n3"]
    for name in ("n2", "n3"):
        assert any(s.startswith(f"{name}: not read") for s in diagnosis.incomplete)


def test_nodes_of_several_versions_are_read_all_the_same(
    kubeconfig,  # noqa: F811
    agents,  # noqa: F811
    api,  # noqa: F811
):
    for pod, tag in zip(
        api.content[PODS]["items"], ("v1.16.9", "v1.18.0"), strict=False
    ):
        pod["spec"]["containers"][0]["image"] = f"quay.io/cilium/cilium:{tag}"

    diagnosis = diagnose(read(kubeconfig))

    (skew,) = [f for f in diagnosis.findings if f.code is Code.AGENT_VERSION_SKEW]
    assert skew.evidence["versions"] == {"1.16.9": ["n1"], "1.18.0": ["n2", "n3"]}
    assert {f.code for f in diagnosis.alarming} == {Code.STALE_XFRM_STATE}
    assert all(node.read for node in diagnosis.nodes)
    assert agents["reads"]


def test_node_whose_dump_is_of_something_else_is_unread(
    kubeconfig,  # noqa: F811
    agents,  # noqa: F811
):
    agents["cilium-xn3"] = agents["cilium-xn3"] | {
        "ip--s-xfrm-state": NodeFile('Object "xfrm" is unknown, try "ip help".\n')
    }

    diagnosis = diagnose(read(kubeconfig))

    assert [n.name for n in diagnosis.nodes if not n.read] == ["n3"]
    assert any(s.startswith("n3: its XFRM states") for s in diagnosis.incomplete)


SOMETHING_ELSE = {
    "project/README.md": "# A project\n",
    "project/src/ip.py": "print('xfrm')\n",
    "project/hostname": "build-7\n",
}


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "folder"])
def test_archive_of_something_else_is_refused_with_what_was_expected(tmp_path, form):
    path = tmp_path / f"a.{form}"
    match form:
        case "zip":
            write_zip(path, SOMETHING_ELSE)
        case "folder":
            write_folder(path, SOMETHING_ELSE)
        case _:
            mode = "w:gz" if form == "tar.gz" else "w"
            write_tar(path, SOMETHING_ELSE, mode, 1_700_000_000)

    with pytest.raises(UsageError, match="expected folders with files such as"):
        read_archive(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [",
        "- 1\n- 2\n",
        "items: 7\n",
        "items:\n- 7\n- null\n",
        yaml.safe_dump({"items": [{"metadata": None, "spec": None}]}),
        yaml.safe_dump(
            {"items": [{"metadata": "x", "spec": 7, "status": [], "data": 3}]}
        ),
        yaml.safe_dump(
            {
                "items": [
                    {
                        "metadata": {"name": 7, "labels": {"k8s-app": "cilium"}},
                        "spec": {
                            "addresses": 7,
                            "encryption": [],
                            "containers": [7, {"name": "cilium-agent", "image": 7}],
                        },
                        "status": {
                            "containerStatuses": [{"name": "cilium-agent", "state": 7}]
                        },
                    }
                ]
            }
        ),
    ],
)
@pytest.mark.parametrize(
    "name", ["ciliumnodes", "k8s-pods", "k8s-nodes", "cilium-configmap"]
)
def test_objects_of_another_shape_leave_the_nodes_readable(tmp_path, name, text):
    files = objects() | {f"{name}-{STAMP}.yaml": text}
    for node in NODES:
        for file, content in node_files("broken", node).items():
            files[f"{node}/{file}"] = content

    diagnosis = diagnose(read_archive(write_folder(tmp_path / "dump", files)))

    stale = [f for f in diagnosis.alarming if f.code is Code.STALE_XFRM_STATE]
    assert {(f.source, f.destination) for f in stale} == {("n1", "n2"), ("n3", "n2")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[]",
        '{"kvs": 7}',
        '{"kvs": [7, {}]}',
        '{"header": [], "kvs": [{"key": "a/b", "value": 3, "lease": "x"}]}',
    ],
)
def test_store_of_another_shape_leaves_the_nodes_readable(tmp_path, text):
    files = objects() | {"etcd_nodes.json": text}
    for node in NODES:
        for file, content in node_files("healthy", node).items():
            files[f"{node}/{file}"] = content

    samples = read_archive(write_folder(tmp_path / "dump", files))

    stale = [f for f in diagnose(samples).findings if f.code is Code.STALE_XFRM_STATE]
    assert stale == []
    assert all(
        f.create_revision is None for f in samples.first.cluster.stored_nodes.values()
    )
