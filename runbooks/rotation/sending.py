"""Whether nodes send with the new key, not only whether they could.

Two things tell. An outbound policy for every peer leads to the new SPI; and where
packets flow, they are counted under it. A quiet pair counts nothing, so only an old
SPI that goes on counting alone says that a node did not switch.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runbooks.rotation.coverage import Addresses
    from runbooks.snapshot import NodeSnapshot, Snapshot

#: Peers that are named one by one.
SHOWN = 4


def not_sending(
    before: Snapshot,
    after: Snapshot,
    addresses: Addresses,
    spi: int,
    members: Collection[str] | None = None,
) -> dict[str, str]:
    """Nodes that do not send with an SPI, with a phrase each.

    Args:
        before: The nodes' states.
        after: The states a moment later, and the policies.
        addresses: Addresses of all nodes that are peers.
        spi: The SPI that everything must be sent with.
        members: The nodes to look at; all that have addresses if ``None``.
    """
    owner = {ip: name for name, ips in addresses.items() for ip in ips}
    found: dict[str, str] = {}
    for name, node in sorted(after.nodes.items()):
        if name not in (addresses if members is None else members):
            continue
        if node.policies is None:
            found[name] = f"{name} (whose policies could not be read)"
            continue
        led = _peers_led_to(node, owner, spi)
        unled = sorted(set(addresses) - {name} - led)
        if unled:
            found[name] = f"{name} (no policy to {_listed(unled)} under SPI {spi})"
            continue
        late = _peers_sent_to_under_others(before.nodes.get(name), node, owner, spi)
        if late:
            found[name] = f"{name} (still sends to {_listed(late)} under another SPI)"
    return found


def _peers_led_to(node: NodeSnapshot, owner: Mapping[str, str], spi: int) -> set[str]:
    return {
        owner[template.destination]
        for policy in node.policies or ()
        if policy.direction is Direction.OUT and policy.action == "allow"
        for template in policy.templates
        if template.spi == spi and template.destination in owner
    }


def _peers_sent_to_under_others(
    before: NodeSnapshot | None, after: NodeSnapshot, owner: Mapping[str, str], spi: int
) -> list[str]:
    """Peers whose packets, of those sent meanwhile, all left under other SPIs."""
    if before is None:
        return []
    sent_before, sent_after = _sent(before, owner), _sent(after, owner)
    sent = {
        tunnel: count - sent_before[tunnel]
        for tunnel, count in sent_after.items()
        # A state that was not there before tells nothing yet.
        if tunnel in sent_before and count > sent_before[tunnel]
    }
    new = {peer for peer, under in sent if under == spi}
    return sorted({peer for peer, under in sent if under != spi} - new)


def _sent(node: NodeSnapshot, owner: Mapping[str, str]) -> Counter[tuple[str, int]]:
    """Packets sent since the states were made, by peer and SPI."""
    sent: Counter[tuple[str, int]] = Counter()
    for state in node.states or ():
        if state.direction is Direction.OUT and state.destination in owner:
            sent[owner[state.destination], state.spi] += state.oseq
    return sent


def _listed(peers: list[str]) -> str:
    more = len(peers) - SHOWN
    return ", ".join(peers[:SHOWN]) + (f" and {more} more" if more > 0 else "")
