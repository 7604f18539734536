"""How far a rotation has come, judged from the kernels' XFRM states alone.

Pure functions. A node has the new key when, towards every peer, it can decrypt
and encrypt under the new SPI, and when nothing that it had under another SPI
lacks its counterpart. States are joined on addresses and SPI, never on marks:
each node chooses its own node IDs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from runbooks.xfrm.model import Direction, XfrmState

#: Node name to its addresses, CiliumInternalIP and InternalIP alike.
Addresses = Mapping[str, frozenset[str]]
States = Mapping[str, Sequence[XfrmState]]


def spis_in_use(states: Sequence[XfrmState]) -> frozenset[int]:
    """SPIs of the states of one node that are Cilium's."""
    return frozenset(state.spi for state in states if state.direction is not None)


def lacking(
    node: str, states: Sequence[XfrmState], addresses: Addresses, spi: int
) -> tuple[str, ...]:
    """Say what a node still lacks under an SPI.

    Args:
        node: Its name.
        states: Its XFRM states.
        addresses: Addresses of all nodes; states that lead elsewhere are
            left-overs of nodes that are gone, and no agent makes them anew.
        spi: The SPI that everything must exist under.

    Returns:
        A phrase for every missing direction, such as ``inbound from node2``;
        empty when the node is complete.
    """
    owner = {ip: name for name, ips in addresses.items() for ip in ips}
    had: set[tuple[str, str, Direction]] = set()
    has: set[tuple[str, str, Direction]] = set()
    for state in states:
        direction = state.direction
        if direction is None:
            continue
        ends = (state.source, state.destination, direction)
        (has if state.spi == spi else had).add(ends)

    reached = {(owner.get(_peer_end(ends)), ends[2]) for ends in has}
    wanted = {
        (peer, direction)
        for peer in addresses
        if peer != node
        for direction in (Direction.IN, Direction.OUT)
    }
    uncounted = {
        (owner[_peer_end(ends)], ends[2])
        for ends in had - has
        if _peer_end(ends) in owner and _own_end(ends) in addresses.get(node, ())
    }
    missing = (wanted - reached) | uncounted
    return tuple(
        f"inbound from {peer}" if direction is Direction.IN else f"outbound to {peer}"
        for peer, direction in sorted(missing)
    )


def _peer_end(ends: tuple[str, str, Direction]) -> str:
    source, destination, direction = ends
    return source if direction is Direction.IN else destination


def _own_end(ends: tuple[str, str, Direction]) -> str:
    source, destination, direction = ends
    return destination if direction is Direction.IN else source


def laggards(
    states: States,
    addresses: Addresses,
    spi: int,
    members: Collection[str] | None = None,
) -> dict[str, str]:
    """Nodes that are not complete under an SPI, with what each lacks.

    Args:
        states: XFRM states by node.
        addresses: Addresses of all nodes that are peers.
        spi: The SPI that everything must exist under.
        members: The nodes to look at; all that have addresses if ``None``.
    """
    found: dict[str, str] = {}
    for node in sorted(addresses if members is None else members):
        missing = lacking(node, states.get(node, ()), addresses, spi)
        if missing:
            shown = ", ".join(missing[:4])
            more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
            found[node] = f"{node} ({shown}{more} under SPI {spi})"
    return found


def leftovers(states: States, spi: int) -> dict[str, str]:
    """Nodes that still hold states under other SPIs, with a phrase each."""
    found: dict[str, str] = {}
    for node in sorted(states):
        others = sorted(spis_in_use(states[node]) - {spi})
        if others:
            count = sum(
                state.direction is not None and state.spi != spi
                for state in states[node]
            )
            spis = ", ".join(map(str, others))
            found[node] = f"{node} ({count} states under SPI {spis})"
    return found
