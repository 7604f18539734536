"""Reading a cluster: its API over HTTP, its agents' pods stubbed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from runbooks.collect import agent_exec
from runbooks.collect.agent_exec import Answer, ExecError
from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.cluster import ClusterReader
from runbooks.collect.errors import NotPermittedError, UnreachableError, UsageError
from runbooks.collect.node_files import NodeFile
from runbooks.collect.snapshot_folder import write_snapshot
from runbooks.diagnose import diagnose
from runbooks.report.json import as_data
from tests.collect.archives import NODES, STAMP, agent_pod, node_files, objects

PODS = "/api/v1/pods"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
CONFIG = "/api/v1/namespaces/kube-system/configmaps/cilium-config"


class Api(ThreadingHTTPServer):
    """Answers with what the test put in; a number is a refusal."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked = []
        files = objects()
        self.content = {
            PODS: {"items": [agent_pod(node) for node in NODES]},
            "/api/v1/nodes": {"items": [{"metadata": {"name": n}} for n in NODES]},
            CILIUM_NODES: yaml.safe_load(files[f"ciliumnodes-{STAMP}.yaml"]),
            CONFIG: yaml.safe_load(files[f"cilium-configmap-{STAMP}.yaml"]),
        }


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.asked.append(self.path)
        content = self.server.content.get(path, 404)
        status = content if isinstance(content, int) else 200
        body = json.dumps(
            {"kind": "Status"} if status != 200 else content, default=str
        ).encode()
        if content == "garbage":
            body = b"<html>"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def kubeconfig(api, tmp_path) -> Path:
    path = tmp_path / "kubeconfig"
    url = f"http://127.0.0.1:{api.server_port}"
    config = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "made-up"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def agents(monkeypatch):
    """What the agents' pods answer, by pod; an error is raised."""
    answers = {}
    for node in NODES:
        files = node_files("broken", node)
        answers[f"cilium-x{node}"] = {
            name.removeprefix("cmd/").removesuffix(".md"): NodeFile(text)
            for name, text in files.items()
        }
    reads = []

    def read(_self, pod, *, full, limit_s, policies):
        assert limit_s > 0
        assert not policies
        reads.append((pod, full))
        answer = answers[pod]
        if isinstance(answer, Exception):
            raise answer
        return Answer(dict(answer), {})

    monkeypatch.setattr(agent_exec.AgentExec, "read", read)
    answers["reads"] = reads
    return answers


def read(kubeconfig, **options):
    return ClusterReader.connect(kubeconfig, **options).samples(interval_s=0)


def test_cluster_is_read_twice_the_first_sample_whole_before_the_second(
    kubeconfig, agents
):
    samples = read(kubeconfig)

    assert [full for _, full in agents["reads"]] == [True] * 3 + [False] * 3
    assert diagnose(samples).exit_code == 1
    assert samples.first.cluster.config["enable-ipsec"] == "true"
    assert samples.first.nodes["n2"].agent.version == "1.18.0"


def test_agent_that_does_not_answer_leaves_its_node_unread(kubeconfig, agents):
    agents["cilium-xn2"] = ExecError("its agent did not answer within 60 s")

    diagnosis = diagnose(read(kubeconfig))

    assert diagnosis.exit_code == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n2"]
    assert "n2: not read, its agent did not answer within 60 s." in diagnosis.incomplete


def test_crash_looping_agent_is_not_entered_but_named(kubeconfig, agents, api):
    pod = api.content[PODS]["items"][1]
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["status"]["containerStatuses"][0]["state"] = waiting

    diagnosis = diagnose(read(kubeconfig))

    assert ("cilium-xn2", True) not in agents["reads"]
    assert any("CrashLoopBackOff" in s and "n2" in s for s in diagnosis.incomplete)


def test_node_without_an_agent_is_unread(kubeconfig, agents, api):
    del api.content[PODS]["items"][2]

    diagnosis = diagnose(read(kubeconfig))

    assert "n3: no Cilium agent runs there." in diagnosis.incomplete
    assert agents["reads"]


def test_lists_are_read_page_by_page(kubeconfig, agents, api):
    read(kubeconfig)

    assert any("limit=500" in path for path in api.asked)
    assert any("labelSelector=k8s-app%3Dcilium" in path for path in api.asked)
    assert agents["reads"]


@pytest.mark.parametrize(
    ("path", "content", "error", "words"),
    [
        (PODS, {"items": []}, UsageError, "no Cilium agent"),
        (PODS, 403, NotPermittedError, "no right to list on pods"),
        (PODS, 401, UsageError, "credentials"),
        (PODS, 500, UnreachableError, "500"),
        (PODS, "garbage", UnreachableError, "Kubernetes API server"),
        (CONFIG, {"data": {"enable-ipsec": "false"}}, UsageError, "not enabled"),
        (CONFIG, {"data": {"enable-wireguard": "true"}}, UsageError, "WireGuard"),
    ],
)
def test_what_stops_a_check_is_a_sentence(
    kubeconfig, agents, api, path, content, error, words
):
    api.content["/api/v1/namespaces/kube-system/pods"] = 403
    api.content[path] = content

    with pytest.raises(error, match=words):
        read(kubeconfig)
    assert agents["reads"] == []


def test_objects_that_may_not_be_read_are_named_and_the_nodes_still_checked(
    kubeconfig, agents, api
):
    api.content[CILIUM_NODES] = 403

    diagnosis = diagnose(read(kubeconfig))

    assert diagnosis.exit_code == 1
    assert any("list on ciliumnodes.cilium.io" in s for s in diagnosis.incomplete)
    assert agents["reads"]


def test_rights_in_the_usual_namespace_are_enough(kubeconfig, agents, api):
    api.content["/api/v1/namespaces/kube-system/pods"] = api.content[PODS]
    api.content[PODS] = 403

    assert diagnose(read(kubeconfig)).exit_code == 1
    assert agents["reads"]


def test_namespace_restricts_the_search(kubeconfig, agents, api):
    there = "/api/v1/namespaces/cilium/pods"
    api.content[there] = {"items": []}

    with pytest.raises(UsageError, match="in namespace cilium"):
        read(kubeconfig, namespace="cilium")
    assert agents["reads"] == []


def test_api_that_is_not_there_is_a_sentence(kubeconfig, api):
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    kubeconfig.write_text(yaml.safe_dump(config))

    with pytest.raises(UnreachableError, match="doesn't answer"):
        read(kubeconfig)
    assert api.asked == []


@pytest.mark.parametrize("content", ["", "a: [", "clusters: 3"])
def test_broken_kubeconfig_is_a_sentence(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(UsageError, match="kubeconfig"):
        ClusterReader.connect(path)


@pytest.mark.parametrize("failing", [None, "cilium-xn1", "cilium-xn2"])
def test_written_snapshot_checks_the_same(kubeconfig, agents, tmp_path, failing):
    if failing:
        agents[failing] = ExecError("its agent did not answer")
    recording = ClusterReader.connect(kubeconfig).record(interval_s=0)
    write_snapshot(recording, tmp_path / "snapshot")

    again = read_archive(tmp_path / "snapshot")

    live, read_back = diagnose(recording.samples()), diagnose(again)
    assert as_data(live) == as_data(read_back)
    assert read_back.twice
    assert agents["reads"]


def test_snapshot_never_overwrites(kubeconfig, agents, tmp_path):
    recording = ClusterReader.connect(kubeconfig).record(interval_s=0)
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "mine").write_text("")

    with pytest.raises(UsageError, match="isn't empty"):
        write_snapshot(recording, tmp_path / "snapshot")
    assert agents["reads"]
