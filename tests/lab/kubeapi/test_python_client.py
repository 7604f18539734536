"""The real Kubernetes client for Python against the API."""

import base64
import json
import ssl
import urllib.error
import urllib.request

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from runbooks.lab.kubeapi import Fault, backend_unreachable

from .conftest import KEY_LINE, POD

SYSTEM = "kube-system"
SECRET = ("cilium-ipsec-keys", SYSTEM)


@pytest.fixture
def api(cluster):
    settings = client.Configuration()
    settings.retries = False
    config.load_kube_config(str(cluster.kubeconfig), client_configuration=settings)
    with client.ApiClient(settings) as made:
        yield made


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


def status_of(error):
    return json.loads(error.value.body)


def run(core, *command, **kwargs):
    kwargs = {"stderr": True, "stdin": False, "stdout": True, "tty": False} | kwargs
    return stream(
        core.connect_get_namespaced_pod_exec,
        POD,
        SYSTEM,
        command=list(command),
        _preload_content=False,
        **kwargs,
    )


def test_typed_objects_are_read(core):
    pods = core.list_namespaced_pod(SYSTEM, label_selector="k8s-app=cilium").items
    assert [pod.spec.node_name for pod in pods] == ["node1", "node2"]
    assert pods[0].status.container_statuses[0].state.running.started_at.year == 2026
    secret = core.read_namespaced_secret(*SECRET)
    assert base64.b64decode(secret.data["keys"]).decode() == KEY_LINE


def test_a_patch_on_condition_of_its_version_is_refused_when_late(core):
    version = core.read_namespaced_secret(*SECRET).metadata.resource_version
    patch = {"metadata": {"resourceVersion": version, "labels": {"a": "b"}}}
    core.patch_namespaced_secret(*SECRET, patch)
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_secret(*SECRET, patch)
    assert caught.value.status == 409
    assert status_of(caught)["reason"] == "Conflict"


def test_json_patches_are_understood(core):
    patch = [{"op": "add", "path": "/metadata/labels/a", "value": "b"}]
    assert core.patch_node("node1", patch).metadata.labels["a"] == "b"


def test_leases_are_taken_and_renewed(api):
    leases = client.CoordinationV1Api(api)
    made = leases.create_namespaced_lease(
        SYSTEM,
        client.V1Lease(
            metadata=client.V1ObjectMeta(name="lock"),
            spec=client.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15),
        ),
    )
    made.spec.holder_identity = "b"
    renewed = leases.replace_namespaced_lease("lock", SYSTEM, made)
    assert renewed.spec.holder_identity == "b"
    with pytest.raises(ApiException) as caught:
        leases.replace_namespaced_lease("lock", SYSTEM, made)
    assert caught.value.status == 409


def test_the_dynamic_client_finds_custom_resources(api):
    found = dynamic.DynamicClient(api).resources.get(
        api_version="cilium.io/v2", kind="CiliumNode"
    )
    nodes = found.get().items
    assert [node.spec.encryption.key for node in nodes] == [3, 3]
    patched = found.patch(
        name="node1",
        body={"spec": {"encryption": {"key": 4}}},
        content_type="application/merge-patch+json",
    )
    assert patched.spec.encryption.key == 4


def test_a_watch_begins_with_what_is_there_and_goes_on(core, cluster):
    seen = []
    source = watch.Watch()
    for event in source.stream(core.list_node, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            cluster.store.delete("nodes", "node1")
        if len(seen) == 3:
            source.stop()
    assert seen == [("ADDED", "node1"), ("ADDED", "node2"), ("DELETED", "node1")]


def test_a_watch_from_a_version_shows_what_came_after(core, cluster):
    version = core.list_node().metadata.resource_version
    cluster.store.patch("nodes", "node2", {"metadata": {"labels": {"a": "b"}}})
    events = watch.Watch().stream(
        core.list_node, resource_version=version, timeout_seconds=1
    )
    assert [(e["type"], e["object"].metadata.name) for e in events] == [
        ("MODIFIED", "node2")
    ]


def test_a_watch_from_too_long_ago_is_gone(core, cluster):
    cluster.store.patch("nodes", "node2", {"metadata": {"labels": {"a": "b"}}})
    cluster.store.compact()
    with pytest.raises(ApiException) as caught:
        list(watch.Watch().stream(core.list_node, resource_version="1"))
    assert caught.value.status == 410


def test_exec_gives_output_and_exit_status(core):
    session = run(core, "fail", "3")
    session.run_forever(timeout=20)
    assert session.read_stderr() == "it went wrong\n"
    assert session.returncode == 3
    session = run(core, "echo", "a", "b c")
    session.run_forever(timeout=20)
    assert (session.read_stdout(), session.returncode) == ("a b c\n", 0)


def test_exec_takes_input(core):
    session = run(core, "cat", stdin=True)
    session.write_stdin("typed\n")
    assert session.readline_stdout(timeout=20) == "typed"
    session.close()


def test_a_command_ends_when_its_client_leaves(core, cluster):
    session = run(core, "wait")
    assert session.readline_stdout(timeout=20) == "waiting"
    session.close()
    assert cluster.node.cancelled.wait(20)


def test_exec_in_a_missing_pod_is_refused_before_it_begins(core):
    with pytest.raises(ApiException) as caught:
        stream(core.connect_get_namespaced_pod_exec, "other", SYSTEM, command=["echo"])
    assert "404" in str(caught.value)


def test_a_container_that_is_not_running_cannot_be_entered(core, cluster):
    patch = {
        "status": {
            "containerStatuses": [
                {"name": "cilium-agent", "state": {"waiting": {"reason": "Crash"}}}
            ]
        }
    }
    cluster.store.patch("pods", POD, patch, SYSTEM, subresource="status")
    with pytest.raises(ApiException) as caught:
        run(core, "echo")
    assert "404" in str(caught.value)


def test_a_node_that_is_down_cannot_be_dialed(core, cluster):
    cluster.node.unreachable = backend_unreachable("192.0.2.1")
    with pytest.raises(ApiException) as caught:
        run(core, "echo")
    assert "500" in str(caught.value)


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_faults_answer_as_they_are_told(core, cluster, status):
    fault = Fault("patch", "secrets", status=status, retry_after_s=7, times=1)
    cluster.faults.add(fault)
    patch = {"metadata": {"labels": {"a": "b"}}}
    before = cluster.store.version
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_secret(*SECRET, patch)
    assert caught.value.status == status
    assert caught.value.headers["Retry-After"] == "7"
    assert cluster.store.version == before
    core.patch_namespaced_secret(*SECRET, patch)


def test_an_answer_can_be_lost_after_the_change_is_made(core, cluster):
    cluster.faults.add(Fault("patch", "secrets", drop=True, after=True, times=1))
    before = cluster.store.version
    with pytest.raises(Exception, match=r"Connection aborted"):
        core.patch_namespaced_secret(*SECRET, {"metadata": {"labels": {"a": "b"}}})
    assert cluster.store.version == before + 1


def test_a_hanging_request_goes_on_when_faults_are_cleared(core, cluster):
    hung = cluster.faults.add(Fault("list", "nodes", hang=True))
    with pytest.raises(Exception, match="Read timed out"):
        core.list_node(_request_timeout=(1, 1))
    assert hung.seen == 1
    cluster.faults.clear()
    assert len(core.list_node().items) == 2


def test_health_is_told_to_anybody_and_nothing_else(cluster):
    trust = ssl.create_default_context(cadata=cluster.credentials.authority.decode())
    with urllib.request.urlopen(f"{cluster.url}/readyz", context=trust) as answer:
        assert answer.read() == b"ok"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{cluster.url}/version", context=trust)
    with caught.value as refusal:
        assert refusal.code == 401
        assert json.load(refusal)["reason"] == "Unauthorized"
