"""States that two nodes share: what a pair has at both of its ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runbooks.lab.reading import read_states, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from runbooks.lab.client import LabClient

#: What both ends of a state agree on: source, destination, SPI, hash of the key.
#: The key is of one pair alone.
Shared = tuple[str, str, int, str | None]


def shared_states(client: LabClient, one: str, other: str) -> set[Shared]:
    """The states that are there at both ends of two nodes' pairs.

    Raises:
        LabError: A node does not answer.
    """
    return _known(client, one) & _known(client, other)


def wait_until_joined(
    client: LabClient,
    node: str,
    say: Callable[[str], None],
    before: Set[Shared] = frozenset(),
) -> None:
    """Wait until a node and each of its peers share all of their states.

    Args:
        client: The lab.
        node: The node.
        say: Told when it is so.
        before: States that don't count: those of the node's life before.

    Raises:
        LabError: A pair's states did not come in time.
    """
    peers = [peer.name for peer in client.lab.nodes if peer.name != node]
    for peer in peers:

        def joined(peer: str = peer) -> bool:
            shared = shared_states(client, node, peer) - before
            return len(shared) >= client.lab.states_per_peer

        wait_until(joined, f"{node} and {peer} do not share new states")
    say(f"{node} shares states with {', '.join(peers)}")


def spis(client: LabClient) -> dict[str, set[int]]:
    """The SPIs that each node has states under.

    Raises:
        LabError: A node does not answer.
    """
    return {
        node.name: {state.spi for state in read_states(client, node.name)}
        for node in client.lab.nodes
    }


def wait_until_still(client: LabClient) -> None:
    """Wait until no state's number moves any more.

    Raises:
        LabError: They did not stand still in time.
    """
    wait_until(partial(_still, client), "the states' numbers still move")


def _still(client: LabClient) -> bool:
    first = numbers(client)
    return numbers(client) == first


def numbers(client: LabClient) -> dict[tuple[str, str, str, int], tuple[int, int]]:
    """Last number received and sent, by node, source, destination and SPI.

    Raises:
        LabError: A node does not answer.
    """
    return {
        (node.name, s.source, s.destination, s.spi): (s.seq, s.oseq)
        for node in client.lab.nodes
        for s in read_states(client, node.name)
    }


def _known(client: LabClient, node: str) -> set[Shared]:
    states = read_states(client, node)
    return {(s.source, s.destination, s.spi, s.key_hash) for s in states}
