"""A fleet with a stale pair, whose states are judged by the check itself."""

import pytest

from runbooks.collect.agent_exec import Ran
from runbooks.diagnose import diagnose
from runbooks.rotation.session import Assessment, Session
from runbooks.rotation.waiting import Pace
from runbooks.snapshot import Samples
from tests.rotation.conftest import FleetReader
from tests.rotation.fleet import Fleet


class JudgingReader(FleetReader):
    """Reads a fleet twice, and deletes what it is asked to."""

    def samples(self):
        return Samples(self.states(), self.states())

    def assess(self, *, audit=False):
        samples = self.samples()
        return Assessment(diagnose(samples, audit=audit), samples)

    def run(self, argv, node=None):
        self.ran.append((tuple(argv), node))
        if node in self.answers:
            return {node: self.answers[node]}
        status, complaint = self.fleet.delete_state(node, list(argv))
        return {node: Ran(status, "", complaint)}


@pytest.fixture
def fleet(tmp_path):
    """node2 kept its inbound states from both of its peers."""
    made = Fleet(tmp_path)
    made.nodes["node2"].stale_from = {1, 3}
    return made


@pytest.fixture
def reader(fleet):
    return JudgingReader(fleet)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def session(reader, lines):
    # A repair reads and writes nothing of the Kubernetes API by itself.
    return Session(
        cluster=None, reader=reader, tell=lines.append, brief=Pace(5.0, 0.01)
    )
