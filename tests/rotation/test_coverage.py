import dataclasses

import pytest

from runbooks.rotation.coverage import laggards, leftovers, spis_in_use
from runbooks.xfrm.model import Direction, Mark
from tests.rotation.fleet import Fleet


@pytest.fixture
def addresses(fleet):
    return {
        node.name: frozenset({node.cilium_ip, node.internal_ip})
        for node in fleet.nodes.values()
    }


@pytest.fixture
def both(tmp_path):
    """States of a fleet in the middle of a rotation."""
    fleet = Fleet(tmp_path, duration_s=1000)
    for node in fleet.nodes.values():
        node.spis = {3: None, 4: None}
    fleet.write_secret(fleet.secret_line.replace("3+", "4+"))
    return {name: list(fleet.states(name)) for name in fleet.nodes}


def test_complete_nodes_lack_nothing(both, addresses):
    assert laggards(both, addresses, 4) == {}


def test_node_without_the_new_spi_lacks_every_direction(both, addresses):
    both["node2"] = [state for state in both["node2"] if state.spi == 3]
    found = laggards(both, addresses, 4)
    assert list(found) == ["node2"]
    for phrase in ("inbound from node1", "outbound to node3", "under SPI 4"):
        assert phrase in found["node2"]


@pytest.mark.parametrize(
    ("direction", "phrase"),
    [(Direction.IN, "inbound from node3"), (Direction.OUT, "outbound to node3")],
)
def test_one_direction_of_one_pair_is_missed(both, addresses, direction, phrase):
    both["node1"] = [
        state
        for state in both["node1"]
        if not (
            state.spi == 4
            and state.direction is direction
            and "10.0.3.10" in (state.source, state.destination)
        )
    ]
    assert laggards(both, addresses, 4) == {"node1": f"node1 ({phrase} under SPI 4)"}


def test_second_address_pair_of_the_old_spi_needs_its_counterpart(both, addresses):
    old = next(state for state in both["node1"] if state.spi == 3)
    both["node1"].append(
        dataclasses.replace(old, source="192.0.2.2", destination="192.0.2.1")
    )
    assert laggards(both, addresses, 4) == {
        "node1": "node1 (inbound from node2 under SPI 4)"
    }


def test_left_over_of_a_node_that_is_gone_needs_no_counterpart(both, addresses):
    old = next(state for state in both["node1"] if state.spi == 3)
    both["node1"].append(dataclasses.replace(old, source="10.0.9.10"))
    assert laggards(both, addresses, 4) == {}


def test_states_that_are_not_cilium_s_count_nowhere(both):
    foreign = dataclasses.replace(both["node1"][0], spi=9, mark=Mark(0x1, 0xFF))
    both["node1"].append(foreign)
    assert spis_in_use(both["node1"]) == {3, 4}
    assert "9" not in leftovers(both, 4)["node1"]


def test_old_states_that_stay_are_named_and_counted(both):
    both["node2"] = [state for state in both["node2"] if state.spi == 4]
    assert leftovers(both, 4) == {
        "node1": "node1 (4 states under SPI 3)",
        "node3": "node3 (4 states under SPI 3)",
    }
