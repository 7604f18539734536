"""The same samples with states as objects or in columns."""

from dataclasses import replace

from runbooks.snapshot import Samples, Snapshot
from runbooks.xfrm.compact import CompactStates


def _with_states(samples, form):
    def changed(snapshot):
        if snapshot is None:
            return None
        nodes = {
            name: node if node.states is None else form(node)
            for name, node in snapshot.nodes.items()
        }
        return Snapshot(nodes, snapshot.cluster)

    return Samples(changed(samples.first), changed(samples.second))


def as_objects(samples):
    """Objects that carry no more than columns do."""
    return _with_states(
        samples,
        lambda node: replace(
            node, states=CompactStates.of_states(node.states).to_states()
        ),
    )


def as_columns(samples, left_as_objects=()):
    """Columns, but for the nodes that are named."""
    return _with_states(
        samples,
        lambda node: (
            node
            if node.name in left_as_objects
            else replace(
                node, states=None, compact=CompactStates.of_states(node.states)
            )
        ),
    )
