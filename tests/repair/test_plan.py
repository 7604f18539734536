"""Only what two samples prove, and what can't be mistaken, is deleted."""

import dataclasses

import pytest

from runbooks.diagnose import diagnose
from runbooks.repair.plan import plan
from runbooks.snapshot import AgentFacts, Samples, Snapshot
from runbooks.xfrm.model import Mark
from tests.diagnose.compacted import as_columns


def plan_of(samples):
    return plan(samples, diagnose(samples))


def with_node(samples, name, **changes):
    """The same samples with one node changed in both."""

    def changed(snapshot):
        node = dataclasses.replace(snapshot.nodes[name], **changes)
        return Snapshot({**snapshot.nodes, name: node}, snapshot.cluster)

    return Samples(changed(samples.first), changed(samples.second))


def test_stale_inbound_states_are_found_on_the_node_that_kept_them(reader):
    found = plan_of(reader.samples())
    assert list(found.states) == ["node2"]
    assert [s.peer for s in found.states["node2"]] == ["node1", "node3"]
    assert found.left == ()


def test_deletion_names_exact_mark_and_mask(reader):
    state = plan_of(reader.samples()).states["node2"][0]
    assert " ".join(state.deletion) == (
        "ip xfrm state delete src 10.0.1.10 dst 10.0.2.10 proto esp spi 0x3"
        " mark 0x10d00 mask 0xffff0f00"
    )


def test_healthy_cluster_has_nothing_to_delete(fleet, reader):
    fleet.nodes["node2"].stale_from = set()
    assert not plan_of(reader.samples()).states


def test_single_sample_is_no_proof(reader):
    samples = reader.samples()
    assert not plan_of(Samples(samples.first)).states


@pytest.mark.parametrize("mark", [None, Mark(0, 0), Mark(0xD00, 0xF00)])
def test_state_that_the_kernel_could_mistake_for_it_stops_the_deletion(reader, mark):
    samples = reader.samples()
    states = samples.first.nodes["node2"].states
    stale = next(s for s in states if s.source == "10.0.1.10")
    foreign = dataclasses.replace(stale, source="198.51.100.1", mark=mark)
    found = plan_of(with_node(samples, "node2", states=(*states, foreign)))
    assert "another state that the kernel could delete instead" in found.left[0]
    assert [s.peer for s in found.states.get("node2", ())] in ([], ["node3"])


def test_state_of_another_owner_stays_out(reader):
    samples = reader.samples()
    states = samples.first.nodes["node2"].states
    stale = next(s for s in states if s.source == "10.0.1.10")
    foreign = dataclasses.replace(
        stale, source="198.51.100.1", destination="198.51.100.2", mark=None
    )
    found = plan_of(with_node(samples, "node2", states=(*states, foreign)))
    assert {s.source for s in found.states["node2"]} == {"10.0.1.10", "10.0.3.10"}


def test_node_whose_agent_is_away_is_left_alone(reader):
    samples = with_node(reader.samples(), "node2", agent=AgentFacts(ready=False))
    found = plan_of(samples)
    assert not found.states
    assert "the agent on node2 is not ready" in found.left[0]


def test_pair_is_left_to_a_rotation_that_is_under_way(fleet, reader):
    for node in fleet.nodes.values():
        node.spis = {3: None, 4: None}
    found = plan_of(reader.samples())
    assert not found.states
    assert "a key rotation is under way" in found.left[0]


def test_states_that_were_read_in_short_are_left_to_a_rotation(reader):
    found = plan_of(as_columns(reader.samples()))
    assert not found.states
    assert "so many states that they were read in short" in found.left[0]
