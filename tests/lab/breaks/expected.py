"""What each break is to show, between a node and its peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.breaks.signs import (
    AUTHENTICATION,
    BLOCKED,
    NO_BUNDLE,
    NO_NUMBERS,
    NO_STATE,
    Signs,
    from_,
    signs,
    towards,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def _stale(node: str, peers: Sequence[str]) -> Signs:
    """Only the receiver, which kept its states, counts anything."""
    return signs(towards(node, peers), **{node: AUTHENTICATION})


def _other_keys(node: str, peers: Sequence[str]) -> Signs:
    """Nobody can read the other: both ends count it."""
    lost = towards(node, peers) | from_(node, peers)
    return signs(lost, **dict.fromkeys((node, *peers), AUTHENTICATION))


def _left_behind(node: str, peers: Sequence[str]) -> Signs:
    """The peers have nothing left under the SPI that the node knows."""
    lost = towards(node, peers) | from_(node, peers)
    return signs(lost, **dict.fromkeys(peers, f"{BLOCKED} {NO_STATE}"))


def _one_state_less(node: str, peers: Sequence[str]) -> Signs:
    return signs({(peers[0], node)}, **{node: NO_STATE})


def _no_numbers(node: str, peers: Sequence[str]) -> Signs:
    return signs(from_(node, peers), **{node: NO_NUMBERS})


def _no_source(node: str, peers: Sequence[str]) -> Signs:
    return signs(from_(node, peers), **{node: NO_BUNDLE})


_EXPECTED: Mapping[str, Callable[[str, Sequence[str]], Signs]] = {
    "kvstore-lease-expired": _stale,
    "ciliumnode-recreated": _stale,
    "key-changed-same-id": _other_keys,
    "agent-missed-rotation": _left_behind,
    "rotation-too-fast": _left_behind,
    "state-deleted": _one_state_less,
    "sequence-exhausted": _no_numbers,
    "other-internal-ip": _no_source,
}


def matches(seen: Signs, break_: str, node: str, peers: Sequence[str]) -> bool:
    """Whether what was seen is what a break is to show."""
    if break_ == "kvstore-recreated":
        return _stale_in_order(seen, node, peers)
    return seen == _EXPECTED[break_](node, peers)


def _stale_in_order(seen: Signs, node: str, peers: Sequence[str]) -> bool:
    """Every pair towards an agent that restarted later; the node's did last."""
    behind = {peer: sum(pair[1] == peer for pair in seen.lost) for peer in peers}
    order = [*sorted(peers, key=behind.__getitem__), node]
    lost = {(one, other) for i, other in enumerate(order) for one in order[:i]}
    return seen == signs(lost, **dict.fromkeys(order[1:], AUTHENTICATION))
