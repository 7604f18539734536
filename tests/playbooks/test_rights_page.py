"""The page about rights has exactly those that each command asks for and is granted."""

import re
from pathlib import Path

import pytest
import yaml

from runbooks.collect import collect
from runbooks.lab.kubeapi import server
from runbooks.repair import steps as repair
from runbooks.rotation import restart, spread, steps
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.lock import Holder, Lock
from runbooks.rotation.objects import Target
from runbooks.rotation.reader import KernelReader
from runbooks.rotation.session import Session
from runbooks.rotation.waiting import Pace
from tests.docs.checkout import ROOT

PAGE = ROOT / "docs" / "reference" / "rbac.rst"
FILES = ROOT / "playbooks" / "files"
ROW = re.compile(
    r"^   \* - ``(?P<verb>\w+)``\n     - ``(?P<resource>[\w/.]+)``.*\n"
    r"     - (?P<commands>[a-z, ]+)$",
    re.MULTILINE,
)
#: Asked for, and not missed: pods of all namespaces, before those of kube-system, and
#: the Secret, whose key ID tells a check of a rotation that no node takes part in.
SPARED = {("list", "pods"), ("get", "secrets")}
ME = Holder("me@here:1", "elsewhere/pid:[1]/2/3")


def rights_on_the_page():
    """Verb and resource, by the command that the page says needs them."""
    found = {}
    for row in ROW.finditer(PAGE.read_text(encoding="utf-8")):
        for command in row["commands"].split(", "):
            found.setdefault(command, set()).add((row["verb"], row["resource"]))
    return found


def rights_in(file, *names):
    """Verb and resource of the rules of roles in a manifest."""
    return {
        (verb, resource)
        for thing in yaml.safe_load_all(Path(FILES, file).read_text("utf-8"))
        if thing["metadata"]["name"] in names
        for rule in thing.get("rules", ())
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


class Recorder:
    """Notes every right that the API is asked for, and whether it was granted."""

    def __init__(self, check_access):
        self.check_access = check_access
        self.granted = set()
        self.refused = set()

    def __call__(self, store, identity, request):
        resource = "/".join(filter(None, (request.plural, request.subresource)))
        right = (request.verb, resource)
        try:
            self.check_access(store, identity, request)
        except server.StatusError:
            self.refused.add(right)
            raise
        self.granted.add(right)


@pytest.fixture
def asked(monkeypatch):
    recorder = Recorder(server.check_access)
    monkeypatch.setattr(server, "check_access", recorder)
    return recorder


@pytest.fixture
def session(playbooks):
    """A session with the rights of ``rbac.yml`` that reads as the playbooks do."""
    target = Target(kubeconfig=playbooks.environment["KUBECONFIG"])
    return Session(
        Cluster.connect(target), KernelReader(target, 0.01), brief=Pace(5.0, 0.01)
    )


def rotate(session, *, restart_agents):
    lock = Lock(session.cluster, ME, 0)
    steps.preflight(session, restart_agents=restart_agents)
    lock.acquire()
    steps.patch(session, 3, "me")
    if restart_agents:
        restart.restart_agents(session, 4, 10, 0.01)
    spread.propagate(session, 4, 10, 0.01)
    lock.renew()
    spread.reclaim(session, 4, 10, 0.01)
    steps.finish(session)
    assert lock.release()


def test_check_asks_for_what_the_page_says(playbooks, asked):
    playbooks.act_as("ipsec-check")
    samples = collect(
        kubeconfig=Path(playbooks.environment["KUBECONFIG"]), interval_s=0.01
    )
    assert all(node.states_read for node in samples.first.nodes.values())
    assert samples.first.cluster.unread == ()
    assert asked.granted == rights_on_the_page()["check"]
    assert asked.granted == rights_in("rbac.yml", "ipsec-check")
    assert asked.refused == SPARED


def test_rotation_asks_for_what_the_page_says(asked, session):
    rotate(session, restart_agents=False)
    assert asked.granted == rights_on_the_page()["rotate"]
    assert asked.granted == rights_in("rbac.yml", "ipsec-check", "ipsec-rotate")
    assert asked.refused <= SPARED


def test_rotation_that_restarts_agents_asks_for_one_right_more(
    playbooks, fleet, asked, session
):
    playbooks.grant("rbac-restart.yml")
    fleet.need_restarts()
    rotate(session, restart_agents=True)
    page = rights_on_the_page()
    assert asked.granted == page["rotate"] | page["restart"]
    assert page["restart"] == rights_in("rbac-restart.yml", "ipsec-rotate-restart")


def test_repair_asks_for_what_the_page_says(fleet, asked, session):
    fleet.nodes["node2"].stale_from = {1}
    lock = Lock(session.cluster, ME, 0)
    assert repair.find(session)["nodes"] == ["node2"]
    lock.acquire()
    assert repair.repair_node(session, "node2", 10)["changed"]
    assert lock.release()
    assert asked.granted - {("get", "secrets")} == rights_on_the_page()["repair"]
