"""The lab's agents in CRD mode: they follow CiliumNodes, and write their own."""

import threading
from dataclasses import replace

import pytest

from runbooks.lab.agent import crd
from runbooks.lab.agent.crd import CiliumNodes
from runbooks.lab.agent.nodes import Family, Node
from runbooks.lab.agent.store import Hooks
from runbooks.lab.kubeapi.credentials import service_account
from runbooks.lab.kubeapi.objects import agent_account

from .conftest import wait_until

# Agents follow for ever; these are ended where they wait for another try.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception in thread .*_watch_:pytest.PytestUnhandledThreadExceptionWarning"
)

CILIUM_NODES = "ciliumnodes.cilium.io"
OWN = Node(
    *("node1", "default", "192.0.2.1", "10.0.1.10", "10.0.1.0/24"),
    spi=3,
    boot_id="00000000-0000-4000-8000-000000000001",
)
OTHER = replace(
    OWN,
    name="node2",
    node_ip="192.0.2.2",
    cilium_ip="10.0.2.10",
    pod_cidr="10.0.2.0/24",
    boot_id="00000000-0000-4000-8000-000000000002",
)


class Told:
    """What an agent was told, and the node that it is."""

    def __init__(self):
        self.own = OWN
        self.news = []
        self.over = threading.Event()

    def sleep(self, _seconds):
        """Stands in for the time between two tries; ends the thread in the end."""
        if self.over.wait(0.01):
            raise SystemExit


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def agent(cluster, told, tmp_path, monkeypatch):
    for obj in agent_account():
        cluster.store.create(obj)
    uid = cluster.store.get("serviceaccounts", "cilium", "kube-system")["metadata"]
    identity = service_account("kube-system", "cilium", uid["uid"])
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text(cluster.credentials.issue_token(identity)[0])
    authority.write_bytes(cluster.credentials.authority)
    monkeypatch.setattr(crd, "time", told)
    hooks = Hooks(
        own=lambda: told.own,
        on_node=told.news.append,
        on_gone=told.news.append,
        on_own_node=lambda: told.news.append("own node"),
    )
    yield CiliumNodes("node1", cluster.url, str(token), str(authority), hooks)
    told.over.set()
    cluster.stop()
    for thread in threading.enumerate():
        if "_watch_" in thread.name:
            thread.join(20)
    cluster.start()


def make(cluster, name):
    made = cluster.store.get(CILIUM_NODES, "node2")
    spec = {**made["spec"], "bootid": name}
    cluster.store.create(
        {**made, "metadata": {"name": name, "ownerReferences": []}, "spec": spec}
    )


def test_an_agent_reads_what_others_announce(agent):
    nodes, _ = agent.nodes()
    assert nodes == {"node1": OWN, "node2": OTHER}


def test_an_agent_hears_of_nodes_that_come_change_and_go(cluster, agent, told):
    agent.follow(agent.nodes()[1])
    make(cluster, "node3")
    wait_until(
        lambda: told.news[-1:] == [replace(OTHER, name="node3", boot_id="node3")]
    )
    spec = {"bootid": "again", "encryption": {"key": 4}}
    cluster.store.patch(CILIUM_NODES, "node3", {"spec": spec})
    changed = replace(OTHER, name="node3", boot_id="again", spi=4)
    wait_until(lambda: told.news[-1:] == [changed])
    cluster.store.delete(CILIUM_NODES, "node3")
    wait_until(lambda: told.news[-1:] == ["node3"])


def test_an_agent_whose_watch_was_lost_learns_what_it_missed(cluster, agent, told):
    agent.follow(agent.nodes()[1])
    make(cluster, "node3")
    wait_until(lambda: len(told.news) == 1)
    cluster.stop()
    make(cluster, "node4")
    cluster.store.delete(CILIUM_NODES, "node3")
    cluster.store.compact()  # the version from which it would go on is forgotten
    cluster.start()
    wait_until(lambda: "node3" in told.news)
    wait_until(lambda: replace(OTHER, name="node4", boot_id="node4") in told.news)
    # It goes on to follow, the own Node as well.
    cluster.store.patch("nodes", "node1", {"metadata": {"labels": {"a": "b"}}})
    wait_until(lambda: "own node" in told.news)
    cluster.store.delete(CILIUM_NODES, "node4")
    wait_until(lambda: told.news[-1] == "node4")


def test_an_agent_makes_its_cilium_node_and_keeps_it_up_to_date(cluster, agent, told):
    cluster.store.delete(CILIUM_NODES, "node1")
    agent.announce()
    made = cluster.store.get(CILIUM_NODES, "node1")
    assert made["spec"]["bootid"] == OWN.boot_id
    assert made["spec"]["encryption"] == {"key": 3}
    assert made["spec"]["addresses"] == [
        {"type": "InternalIP", "ip": "192.0.2.1"},
        {"type": "CiliumInternalIP", "ip": "10.0.1.10"},
    ]
    assert [o["kind"] for o in made["metadata"]["ownerReferences"]] == ["Node"]
    ipv6 = Family("2001:db8::1", "2001:db8:1::10", "2001:db8:1::/64")
    told.own = replace(OWN, spi=4, cilium_ip="10.0.1.11", ipv6=ipv6)
    agent.announce()
    again = cluster.store.get(CILIUM_NODES, "node1")
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    assert agent.nodes()[0]["node1"] == told.own


def test_an_agent_that_runs_leaves_its_deleted_cilium_node_away(cluster, agent):
    cluster.store.delete(CILIUM_NODES, "node1")
    agent.rewrite()
    assert "node1" not in agent.nodes()[0]
