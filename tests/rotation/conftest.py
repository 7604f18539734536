"""A fleet, its API, and a session whose kernels are read without exec."""

import copy
from pathlib import Path

import pytest
import yaml

from runbooks.collect.agent_exec import Ran
from runbooks.diagnose.finding import Diagnosis, NodeReading, Verdict
from runbooks.lab.kubeapi import executable_not_found, service_account
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.objects import Target
from runbooks.rotation.session import Assessment, Session
from runbooks.rotation.waiting import Pace
from runbooks.snapshot import AgentFacts, NodeSnapshot, Samples, Snapshot
from tests.rotation.api_server import Api
from tests.rotation.fleet import VERSION, Fleet

FILES = Path(__file__).parents[2] / "playbooks" / "files"
RIGHTS = list(yaml.safe_load_all((FILES / "rbac.yml").read_text()))


class FleetReader:
    """Reads a fleet's kernels directly; the check's answer is what a test says."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.findings = ()
        self.audit_findings = ()
        self.counters = {"XfrmInStateProtoError": 0}
        self.unread = {}

        self.answers = {}
        self.ran = []

    def states(self, *, policies=False):
        return Snapshot(
            {
                name: NodeSnapshot(
                    name,
                    states=None if name in self.unread else self.fleet.states(name),
                    policies=self.fleet.policies(name) if policies else None,
                    counters=dict(self.counters),
                    boot_id=node.boot_id,
                    agent=AgentFacts(version=VERSION, ready=True),
                    unread=tuple(filter(None, [self.unread.get(name)])),
                )
                for name, node in self.fleet.nodes.items()
            }
        )

    def run(self, argv, node=None):
        self.ran.append((tuple(argv), node))
        return {
            name: self.answers.get(name, Ran(0, "{}"))
            for name in self.fleet.nodes
            if node in {None, name}
        }

    def assess(self, *, audit=False, after_first=None):
        if after_first is not None:
            after_first()
        verdict = Verdict.STALE if self.findings else Verdict.HEALTHY
        found = (*self.findings, *(self.audit_findings if audit else ()))
        readings = tuple(NodeReading(name, read=True) for name in self.fleet.nodes)
        return Assessment(
            Diagnosis(verdict, tuple(found), readings, twice=True),
            Samples(self.states(), self.states()),
        )


async def runs_nothing(_pod, _container, argv, *_streams):
    raise executable_not_found(argv[0])


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


@pytest.fixture
def api(fleet):
    made = Api(fleet, runs_nothing)
    yield made
    made.close()


@pytest.fixture
def reader(fleet):
    return FleetReader(fleet)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def session(api, reader, lines):
    return Session(
        cluster=api.connect(),
        reader=reader,
        tell=lines.append,
        brief=Pace(limit_s=5.0, interval_s=0.01),
    )


@pytest.fixture
def granted(fleet, api, reader):
    """A session with the rights of an account of ``rbac.yml``."""

    def grant(account, objects=RIGHTS):
        for thing in objects:
            fleet.store.create(copy.deepcopy(thing))
        stored = fleet.store.get("serviceaccounts", account, "kube-system")
        uid = stored["metadata"]["uid"]
        path = api.token_kubeconfig(service_account("kube-system", account, uid))
        return Session(
            Cluster.connect(Target(kubeconfig=str(path))),
            reader,
            brief=Pace(2.0, 0.01),
        )

    return grant


@pytest.fixture
def restart_rights():
    return list(yaml.safe_load_all((FILES / "rbac-restart.yml").read_text()))
