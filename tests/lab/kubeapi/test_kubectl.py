"""The real kubectl against the API."""

import base64
import json

import pytest
import yaml

from runbooks.lab.kubeapi import Fault

from .conftest import POD, wait_until

pytestmark = pytest.mark.usefixtures("_kubectl")
SYSTEM = ("-n", "kube-system")


def words(done):
    return [line.split() for line in done.stdout.decode().splitlines()]


def test_pods_are_listed_as_a_real_cluster_lists_them(cluster):
    header, first, _ = words(cluster.kubectl("get", "pods", "-A", "-o", "wide"))
    assert header[:6] == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert first[:5] == ["kube-system", POD, "1/1", "Running", "0"]
    assert first[6:8] == ["192.0.2.1", "node1"]


def test_nodes_agents_and_cilium_nodes_have_their_columns(cluster):
    assert words(cluster.kubectl("get", "nodes"))[1][:3] == ["node1", "Ready", "<none>"]
    daemon_set = words(cluster.kubectl("get", "ds", *SYSTEM))[1]
    assert daemon_set[:6] == ["cilium", *"22222"]
    header, first, _ = words(cluster.kubectl("get", "cn"))
    assert header == ["NAME", "CILIUMINTERNALIP", "INTERNALIP", "AGE"]
    assert first[:3] == ["node1", "10.0.1.10", "192.0.2.1"]


def test_selectors_select(cluster):
    by_label = ("-l", "k8s-app in (cilium)", "--field-selector", "spec.nodeName=node2")
    done = cluster.kubectl("get", "pods", *SYSTEM, *by_label, "-o", "name")
    assert done.stdout == b"pod/cilium-aaaa2\n"


def test_the_documented_way_to_make_a_key_works(cluster):
    cluster.kubectl("create", "namespace", "cilium")
    cluster.kubectl(
        *("create", "-n", "cilium", "secret", "generic", "cilium-ipsec-keys"),
        "--from-literal=keys=3+ throwaway",
    )
    secret = cluster.store.get("secrets", "cilium-ipsec-keys", "cilium")
    assert base64.b64decode(secret["data"]["keys"]) == b"3+ throwaway"
    assert secret["type"] == "Opaque"


@pytest.mark.parametrize("kind", ["merge", "strategic"])
def test_a_secret_is_patched(cluster, kind):
    patch = json.dumps({"stringData": {"keys": "4+ throwaway"}})
    args = ("patch", "secret", *SYSTEM, "cilium-ipsec-keys", "--type", kind)
    cluster.kubectl(*args, "-p", patch)
    secret = cluster.store.get("secrets", "cilium-ipsec-keys", "kube-system")
    assert base64.b64decode(secret["data"]["keys"]) == b"4+ throwaway"


@pytest.mark.parametrize("mode", [(), ("--server-side",)])
def test_apply_creates_changes_and_is_idempotent(cluster, mode):
    def apply(image, env):
        container = {"name": "a", "image": image, "env": env}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [container]},
        }
        done = cluster.kubectl("apply", *mode, "-f", "-", stdin=json.dumps(manifest))
        return done.stdout.decode().split()[-1]

    applied = "serverside-applied" if mode else None
    one, two = ({"name": n, "value": "1"} for n in ("ONE", "TWO"))
    assert apply("i:1", [one]) == (applied or "created")
    assert apply("i:2", [one, two]) == (applied or "configured")
    assert apply("i:2", [one, two]) == (applied or "unchanged")
    spec = cluster.store.get("pods", "p", "default")["spec"]
    assert spec["containers"] == [{"name": "a", "image": "i:2", "env": [one, two]}]


def test_custom_resources_are_applied_too(cluster):
    manifest = cluster.store.get("ciliumnodes.cilium.io", "node1")
    manifest["metadata"] = {"name": "node1"}
    manifest["spec"]["encryption"]["key"] = 9
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    found = cluster.store.get("ciliumnodes.cilium.io", "node1")
    assert found["spec"]["encryption"] == {"key": 9}


def test_edits_from_an_old_version_are_refused(cluster):
    old = cluster.store.get("secrets", "cilium-ipsec-keys", "kube-system")
    cluster.kubectl("label", "secret", *SYSTEM, "cilium-ipsec-keys", "a=b")
    done = cluster.kubectl("replace", "-f", "-", stdin=json.dumps(old), check=False)
    assert done.returncode == 1
    assert b"Error from server (Conflict)" in done.stderr


def test_dry_run_changes_nothing(cluster):
    before = cluster.store.version
    cluster.kubectl("delete", "node", "node1", "--dry-run=server")
    cluster.kubectl("label", "node", "node1", "a=b", "--dry-run=server")
    assert cluster.store.version == before


def test_deletion_is_waited_for(cluster):
    done = cluster.kubectl("delete", "cn", "node1")
    assert b'"node1" deleted' in done.stdout
    done = cluster.kubectl("get", "cn", "node1", check=False)
    assert b'ciliumnodes.cilium.io "node1" not found' in done.stderr


def test_a_wait_ends_when_its_condition_holds(cluster):
    def set_ready(status):
        patch = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        args = ("pods", POD, patch, "kube-system")
        cluster.store.patch(*args, subresource="status")

    set_ready("False")
    command = ("wait", *SYSTEM, f"pod/{POD}", "--for=condition=Ready", "--timeout=20s")
    watched = cluster.faults.add(Fault(verb="watch"))
    process = cluster.start_kubectl(*command)
    wait_until(lambda: watched.seen)
    set_ready("True")
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, f"pod/{POD} condition met\n".encode())


def test_a_watch_shows_changes_as_they_happen(cluster):
    process = cluster.start_kubectl("get", "pods", *SYSTEM, "-w", "--no-headers")
    lines = [process.stdout.readline().split() for _ in range(2)]
    cluster.store.patch(
        "pods",
        POD,
        {"status": {"phase": "Failed"}},
        "kube-system",
        subresource="status",
    )
    lines.append(process.stdout.readline().split())
    process.terminate()
    process.communicate(timeout=20)
    assert [(line[0], line[2]) for line in lines] == [
        (b"cilium-aaaa1", b"Running"),
        (b"cilium-aaaa2", b"Running"),
        (b"cilium-aaaa1", b"Failed"),
    ]


def test_logs_are_read(cluster):
    done = cluster.kubectl("logs", *SYSTEM, POD, "--tail=2")
    assert done.stdout == b"cilium-agent line 8\ncilium-agent line 9\n"


def test_tokens_of_service_accounts_have_the_rights_of_their_role(cluster):
    cluster.kubectl("create", "sa", *SYSTEM, "reader")
    role = ("--verb=get,list", "--resource=pods")
    cluster.kubectl("create", "role", *SYSTEM, "reader", *role)
    bound = ("--role=reader", "--serviceaccount=kube-system:reader")
    cluster.kubectl("create", "rolebinding", *SYSTEM, "reader", *bound)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    path = "/api/v1/namespaces/kube-system/serviceaccounts/reader/token"
    done = cluster.kubectl(
        "create", "--raw", path, "-f", "-", stdin=json.dumps(request)
    )
    token = json.loads(done.stdout)["status"]["token"]
    config = cluster.write_kubeconfig(
        "reader.yaml", cluster.credentials.token_kubeconfig(cluster.url, token)
    )
    assert len(words(cluster.kubectl("get", "pods", *SYSTEM, kubeconfig=config))) == 3
    done = cluster.kubectl("get", "secrets", *SYSTEM, kubeconfig=config, check=False)
    assert (
        "Error from server (Forbidden): secrets is forbidden: User "
        '"system:serviceaccount:kube-system:reader" cannot list resource "secrets" in '
        'API group "" in the namespace "kube-system"'
    ) in done.stderr.decode()
    for verb, answer in (("list", "yes"), ("delete", "no")):
        can = ("auth", "can-i", verb, "pods", *SYSTEM)
        done = cluster.kubectl(*can, kubeconfig=config, check=False)
        assert done.stdout.decode().strip() == answer
    cluster.kubectl("delete", "sa", *SYSTEM, "reader")
    done = cluster.kubectl("get", "pods", *SYSTEM, kubeconfig=config, check=False)
    assert b"You must be logged in" in done.stderr


def test_all_rights_can_be_listed(cluster):
    done = cluster.kubectl("auth", "can-i", "--list")
    assert ["*.*", "[]", "[]", "[*]"] in words(done)


def test_masters_may_speak_for_others(cluster):
    args = ("--as", "alice", "get", "nodes")
    done = cluster.kubectl(*args, check=False)
    assert b'User "alice" cannot list resource "nodes"' in done.stderr


def test_a_wrong_token_is_nobody(cluster):
    config = cluster.write_kubeconfig(
        "wrong.yaml", cluster.credentials.token_kubeconfig(cluster.url, "wrong")
    )
    done = cluster.kubectl("get", "nodes", kubeconfig=config, check=False)
    assert b"You must be logged in to the server" in done.stderr


def test_faults_reach_the_client(cluster):
    fault = cluster.faults.add(Fault(verb="list", resource="nodes", status=500))
    done = cluster.kubectl("get", "nodes", check=False)
    assert b"a fault was asked for: 500" in done.stderr
    assert fault.seen == 1
    cluster.faults.clear()
    cluster.kubectl("get", "nodes")


def test_the_daemon_set_is_described_and_rolled_out(cluster):
    done = cluster.kubectl("rollout", "status", *SYSTEM, "ds/cilium")
    assert b"successfully rolled out" in done.stdout
    done = cluster.kubectl("describe", *SYSTEM, "pod", POD)
    assert b"cilium-ipsec-keys" in done.stdout
    cluster.kubectl("rollout", "restart", *SYSTEM, "ds/cilium")
    found = cluster.store.get("daemonsets.apps", "cilium", "kube-system")
    assert found["metadata"]["generation"] == 2
