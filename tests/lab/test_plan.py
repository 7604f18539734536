"""Which nodes a lab has, as they come and go."""

import pytest

from runbooks.lab.plan import MAX_NODES, Lab, LabError


def names(lab):
    return [node.name for node in lab.nodes]


@pytest.mark.parametrize("gone", [["node2"], ["node3"], ["node2", "node4"]])
def test_nodes_that_were_removed_come_back_in_whatever_order(gone):
    lab = Lab("lab", node_count=4)
    for name in gone:
        lab = lab.without(name)
    assert names(lab) == [n for n in names(Lab("lab", 4)) if n not in gone]
    for name in gone:
        lab = lab.with_again(name)
    assert lab == Lab("lab", node_count=4)


def test_the_last_of_two_removed_comes_back_alone():
    lab = Lab("lab", node_count=4).without("node4").without("node3")
    assert names(lab.with_again("node4")) == ["node1", "node2", "node4"]


def test_a_node_that_is_there_does_not_come_back():
    with pytest.raises(LabError, match="has node2 already"):
        Lab("lab").with_again("node2")


@pytest.mark.parametrize("name", ["node0", f"node{MAX_NODES + 1}", "worker"])
def test_a_name_that_no_node_can_have_is_refused(name):
    with pytest.raises(LabError, match="can't have a node"):
        Lab("lab").with_again(name)
