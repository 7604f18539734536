"""A fleet, its API, and a session whose kernels are read without exec."""

import pytest

from runbooks.diagnose.finding import Diagnosis, NodeReading, Verdict
from runbooks.lab.kubeapi import executable_not_found
from runbooks.rotation.session import Assessment, Session
from runbooks.rotation.waiting import Pace
from runbooks.snapshot import AgentFacts, NodeSnapshot, Snapshot
from tests.rotation.fleet import VERSION, Api, Fleet


class FleetReader:
    """Reads a fleet's kernels directly; the check's answer is what a test says."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.findings = ()
        self.counters = {"XfrmInStateProtoError": 0}
        self.unread = {}

    def states(self):
        return Snapshot(
            {
                name: NodeSnapshot(
                    name,
                    states=None if name in self.unread else self.fleet.states(name),
                    counters=dict(self.counters),
                    boot_id=node.boot_id,
                    agent=AgentFacts(version=VERSION, ready=True),
                    unread=tuple(filter(None, [self.unread.get(name)])),
                )
                for name, node in self.fleet.nodes.items()
            }
        )

    def assess(self):
        verdict = Verdict.STALE if self.findings else Verdict.HEALTHY
        readings = tuple(NodeReading(name, read=True) for name in self.fleet.nodes)
        return Assessment(
            Diagnosis(verdict, tuple(self.findings), readings, twice=True),
            self.states(),
        )


async def _runs_nothing(_pod, _container, argv, *_streams):
    raise executable_not_found(argv[0])


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


@pytest.fixture
def api(fleet):
    made = Api(fleet, _runs_nothing)
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
