"""Revisions, leases and ages of the nodes' keys, from an etcd process."""

import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
import trustme
from etcd3gw import Etcd3Client
from etcd3gw.lease import Lease
from typer.testing import CliRunner

from runbooks.cli import app
from runbooks.collect.errors import UnreachableError, UsageError
from runbooks.collect.etcd import HEARTBEAT, EtcdAccess, read_store
from runbooks.collect.stored_nodes import NODES_PREFIX, from_agent, store_facts
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code
from tests.collect.test_cluster import (  # noqa: F401 - fixtures
    PODS,
    agents,
    api,
    kubeconfig,
)
from tests.diagnose.cluster_builder import NOW, make_cluster

pytestmark = pytest.mark.skipif(
    shutil.which("etcd") is None, reason="etcd is not installed"
)

MADE = NOW - 3600


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(folder, *options, scheme="http", verify=True, cert=None):
    port = free_port()
    url, peer = f"{scheme}://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    command = [
        "etcd",
        *("--data-dir", str(folder / "data"), "--log-level", "error"),
        *("--listen-client-urls", url, "--advertise-client-urls", url),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"default={peer}", "--unsafe-no-fsync"),
        *options,
    ]
    if (
        "--unsafe-no-fsync"
        not in subprocess.run(
            ["etcd", "--help"], capture_output=True, text=True, check=False
        ).stdout
    ):
        command.remove("--unsafe-no-fsync")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.monotonic() + 30
    while True:
        try:
            if requests.get(f"{url}/health", verify=verify, cert=cert, timeout=2).ok:
                return process, url
        except requests.RequestException:
            pass
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"etcd did not start: {(folder / 'log').read_text()}")
        time.sleep(0.05)


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    process, url = start(tmp_path_factory.mktemp("etcd"))
    yield url
    process.kill()
    process.wait()


@pytest.fixture
def client(etcd):
    client = Etcd3Client(port=int(etcd.rpartition(":")[2]), api_path="/v3/")
    client.delete_prefix("cilium/")
    return client


def announce(client, name, lease, key_id=7):
    entry = {"Name": name, "EncryptionKey": key_id, "BootID": "not asked for"}
    client.put(f"{NODES_PREFIX}default/{name}", json.dumps(entry), lease=lease)


def beat(client, moment_s):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_s))
    client.put(HEARTBEAT, stamp)


def three_nodes(client, created_s, ttl_s=900):
    """Every node's key, made at a time that the heartbeat before it tells."""
    leases = {}
    for name, moment_s in created_s.items():
        beat(client, moment_s)
        leases[name] = client.lease(ttl=ttl_s)
        announce(client, name, leases[name])
    return leases


def facts(url):
    return store_facts(read_store(EtcdAccess(url)))


def test_keys_are_read_with_revisions_leases_and_ages(etcd, client):
    created = {"node1": MADE - 9000, "node2": MADE - 60, "node3": MADE - 8000}
    leases = three_nodes(client, created)

    store = facts(etcd)

    assert store.nodes.keys() == created.keys()
    assert {n: f.created_s for n, f in store.nodes.items()} == created
    assert {n: f.lease for n, f in store.nodes.items()} == {
        name: lease.id for name, lease in leases.items()
    }
    for node in store.nodes.values():
        assert node.lease_ttl_s == 900
        assert 880 <= node.lease_left_s <= 900
        assert node.encryption_key == 7
        assert 0 < node.create_revision <= node.mod_revision <= store.revision
    assert store.cluster_id


def test_key_that_vanished_and_came_back_has_a_younger_revision(etcd, client):
    before = MADE - 80_000
    leases = three_nodes(client, dict.fromkeys(("node1", "node2", "node3"), before))
    old = facts(etcd).nodes["node2"]
    Lease(leases["node2"].id, client=client).revoke()
    assert "node2" not in facts(etcd).nodes
    beat(client, MADE - 30)
    announce(client, "node2", client.lease(ttl=900))

    store = facts(etcd)

    assert store.nodes["node2"].create_revision > old.create_revision
    assert store.nodes["node2"].created_s == MADE - 30
    cluster = make_cluster(3, made_s=MADE - 70_000).break_node("node2", MADE)
    cluster.store = store
    found = diagnose(cluster.once()).findings
    assert {f.cause for f in found} == {Code.KVSTORE_LEASE_EXPIRED}


def test_store_that_began_anew_is_told_from_an_expired_lease(etcd, client):
    three_nodes(client, {"node1": MADE - 200, "node3": MADE - 100, "node2": MADE - 20})

    cluster = make_cluster(3, made_s=MADE - 70_000).break_node("node2", MADE)
    cluster.store = facts(etcd)

    found = diagnose(cluster.once()).findings
    assert {f.cause for f in found} == {Code.KVSTORE_RECREATED}


def test_lease_that_nobody_renews_is_found_while_it_lives(etcd, client):
    three_nodes(client, dict.fromkeys(("node1", "node2", "node3"), MADE))
    store = facts(etcd)
    overdue = replace(store.nodes["node2"], lease_left_s=100.0)
    cluster = make_cluster(3)
    cluster.store = replace(store, nodes={**store.nodes, "node2": overdue})

    (finding,) = diagnose(cluster.twice()).findings

    assert (finding.code, finding.node) == (Code.KVSTORE_LEASE_EXPIRING, "node2")


def test_history_that_was_compacted_leaves_ages_out(etcd, client):
    three_nodes(client, {"node1": MADE - 9000, "node2": MADE - 60})
    newest = facts(etcd).nodes["node2"].create_revision
    client.post(
        client.get_url("/kv/compaction"), json={"revision": newest, "physical": True}
    )

    store = facts(etcd)

    assert store.nodes["node1"].created_s is None
    assert store.nodes["node1"].create_revision is not None
    assert store.nodes["node2"].created_s == MADE - 60


def test_store_without_a_heartbeat_has_no_ages(etcd, client):
    announce(client, "node1", client.lease(ttl=900))

    assert facts(etcd).nodes["node1"].created_s is None


def test_store_that_lost_its_nodes_has_none(etcd, client):
    beat(client, MADE)

    assert facts(etcd).nodes == {}


def test_etcd_of_something_else_does_not_pass_for_an_emptied_store(etcd, client):
    client.put("registry/pods/default/web", "{}")

    with pytest.raises(UnreachableError, match="nothing of Cilium"):
        facts(etcd)


def test_what_an_agent_prints_has_the_same_names_and_no_revisions(etcd, client):
    three_nodes(client, {"node1": MADE, "node2": MADE})
    printed = "".join(
        f"{meta['key'].decode()} => {value.decode()}\n"
        for value, meta in client.get_prefix("cilium/state/nodes")
    )

    store = store_facts(from_agent(printed))

    assert store.nodes.keys() == facts(etcd).nodes.keys()
    assert {f.encryption_key for f in store.nodes.values()} == {7}
    assert {f.create_revision for f in store.nodes.values()} == {None}


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """An etcd that wants a certificate, and the files to show it."""
    folder = tmp_path_factory.mktemp("secure")
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    files = {}
    for who in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1")
        files[who] = folder / f"{who}.pem", folder / f"{who}.key"
        issued.cert_chain_pems[0].write_to_path(str(files[who][0]))
        issued.private_key_pem.write_to_path(str(files[who][1]))
    process, url = start(
        folder,
        *(
            "--cert-file",
            str(files["server"][0]),
            "--key-file",
            str(files["server"][1]),
        ),
        *("--client-cert-auth", "--trusted-ca-file", str(ca)),
        scheme="https",
        verify=str(ca),
        cert=tuple(map(str, files["client"])),
    )
    yield url, ca, *files["client"]
    process.kill()
    process.wait()


def test_certificates_let_it_in(secure, monkeypatch):
    # What the environment says of other servers is not meant for this one.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    with pytest.raises(UnreachableError, match="nothing of Cilium"):
        read_store(EtcdAccess.of(*secure))


@pytest.mark.parametrize("given", [1, 2])
def test_etcd_that_refuses_is_a_sentence(secure, given):
    with pytest.raises(UnreachableError, match=r"etcd at https://127\.0\.0\.1:\d+ can"):
        read_store(EtcdAccess(*secure[:given]))


def test_etcd_that_is_not_there_is_a_sentence():
    with pytest.raises(UnreachableError, match="can't be read"):
        read_store(EtcdAccess(f"http://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b'{"etcdserver": "3.5.0"}', b'{"etcdserver": 3}'],
)
def test_server_of_something_else_is_a_sentence(body):
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            with pytest.raises(UnreachableError):
                read_store(EtcdAccess(f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("127.0.0.1:2379",), "URL"),
        (("https://",), "URL"),
        (("https://host:port",), "URL"),
        (("https://user:word@host",), "URL"),
        ((None, Path(__file__)), "--etcd-endpoint"),
        (("https://host", None, Path(__file__)), "belong together"),
        (("https://host", Path("/nonexistent")), "/nonexistent"),
    ],
)
def test_options_that_do_not_fit_are_told(options, words):
    with pytest.raises(UsageError, match=words):
        EtcdAccess.of(*options)


def test_no_endpoint_is_no_access():
    assert EtcdAccess.of(None) is None


def test_check_that_is_given_etcd_tells_the_cause_where_the_pods_do_not(
    etcd,
    client,
    kubeconfig,  # noqa: F811
    agents,  # noqa: F811
    api,  # noqa: F811
    tmp_path,
):
    for pod in api.content[PODS]["items"]:
        del pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    came_back = datetime(2026, 11, 22, 23, 33, 40, tzinfo=UTC).timestamp()
    hours_before = came_back - 20_000
    three_nodes(client, {"n1": hours_before, "n3": hours_before, "n2": came_back})
    arguments = ["--kubeconfig", str(kubeconfig), "--interval", "0"]

    def causes(folder, *options):
        written = CliRunner().invoke(
            app, ["snapshot", *arguments, *options, "-o", str(folder)]
        )
        assert written.exit_code == 0
        checked = CliRunner().invoke(
            app, ["check", "--snapshot", str(folder), "--output", "json"]
        )
        assert checked.exit_code == 1
        return {f["cause"] for f in json.loads(checked.stdout)["findings"]}

    assert causes(tmp_path / "without") == {None}
    with_etcd = causes(tmp_path / "with", "--etcd-endpoint", etcd)
    assert with_etcd == {"kvstore-lease-expired"}
    assert agents["reads"]
