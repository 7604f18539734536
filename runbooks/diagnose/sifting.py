"""What a diagnosis needs of very many states: a few objects, and sums of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.columns import (
    AddressBook,
    Ordered,
    Sample,
    addresses,
    ordered,
)
from runbooks.diagnose.doubts import COLUMNS, doubtful
from runbooks.diagnose.placing import Nodes, accepting_any, claims, kind_sent
from runbooks.diagnose.tunnel_table import End, TunnelTable
from runbooks.diagnose.view import Stray, owner_by_address
from runbooks.snapshot import Snapshot
from runbooks.xfrm.compact import IN, LAST_SPI, OUT, CompactStates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runbooks.diagnose.columns import Bools, Column
    from runbooks.diagnose.placing import Placed
    from runbooks.snapshot import Samples
    from runbooks.xfrm.model import XfrmState

#: The sides of both samples: outbound and inbound, outbound and inbound after.
Sides = tuple["Placed", "Placed", "Placed", "Placed"]


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is left of samples when the tunnels without a doubt are taken out.

    Attributes:
        first: By node that was read, the states of its doubtful pairs, and all of
            them for such a pair and its reverse.
        second: The same of the second sample.
        owner: Node by address.
        spis: SPIs of all tunnels inside the cluster.
        senders: By SPI, the nodes that have an outbound state under it.
        strays: States that lead to or from no node that is known, each peer once.
        pairs: Ordered pairs of read nodes that are doubtful or have no outbound
            state, in order.
    """

    first: Mapping[str, tuple[XfrmState, ...]]
    second: Mapping[str, tuple[XfrmState, ...]]
    owner: Mapping[str, str]
    spis: frozenset[int]
    senders: Mapping[int, frozenset[str]]
    strays: tuple[Stray, ...]
    pairs: tuple[tuple[str, str], ...]


def sift(samples: Samples, ahead_s: Callable[[str], float | None]) -> Sifted:
    """Take out of samples what no rule can find anything in.

    Args:
        samples: What was read; the states of any node may be compact.
        ahead_s: Tells how far a node's clock is ahead of the reader's.

    Returns:
        The rest.
    """
    second = samples.second or Snapshot({})
    objects = samples.first.cluster.cilium_nodes.values()
    names = tuple(
        sorted({*samples.first.nodes, *second.nodes, *(node.name for node in objects)})
    )
    numbers = {name: number for number, name in enumerate(names)}
    book = AddressBook()
    read = Sample.of(samples.first, numbers, book)
    reread = Sample.of(second, numbers, book)
    outbound = read.side(OUT, COLUMNS["outbound"])
    inbound = read.side(IN, COLUMNS["inbound"])
    owner = owner_by_address(samples, claims(names, book, outbound, inbound))
    codes = [numbers[owner[a]] if a in owner else -1 for a in book.codes]
    nodes = Nodes(names, book, np.array(codes, dtype=np.int32))
    sides = (
        nodes.place(read, outbound),
        nodes.place(read, inbound),
        nodes.place(reread, reread.side(OUT, COLUMNS["outbound_after"])),
        nodes.place(reread, reread.side(IN, COLUMNS["inbound_after"])),
    )
    table = _tunnels(
        nodes, samples, sides, np.array([ahead_s(n) or 0.0 for n in names])
    )
    odd = _odd_keys(sides)
    suspects = _suspects(nodes, sides, table, odd)
    return Sifted(
        first=_objects(nodes, sides[:2], suspects, odd),
        second=_objects(nodes, sides[2:], suspects, odd),
        owner=owner,
        spis=_spis(sides),
        senders=_senders(nodes, sides[0]),
        strays=tuple(_strays(nodes, sides[:2])),
        pairs=_pairs(nodes, sides, suspects),
    )


def _by_key(placed: Placed) -> Ordered:
    return ordered(placed.sample, placed.side, placed.regular)


def _end(placed: Placed, states: Ordered, keys: Column) -> End:
    return End.of(placed.sample, placed.side, states, keys)


def _tunnels(
    nodes: Nodes, samples: Samples, sides: Sides, ahead_s: Column
) -> TunnelTable:
    outbound, inbound, outbound_after, inbound_after = sides
    sent, sent_after = _by_key(outbound), _by_key(outbound_after)
    keys = sent.key
    received, received_after = _by_key(inbound), _by_key(inbound_after)
    for states in (sent_after, received, received_after):
        if not np.array_equal(keys, states.key):
            keys = np.union1d(keys, states.key)
    ends = [
        _end(placed, states, keys)
        for placed, states in (
            (outbound, sent),
            (inbound, received),
            (outbound_after, sent_after),
            (inbound_after, received_after),
        )
    ]
    if len(received.key) == len(keys):
        received = Ordered(keys, received.at)  # the same keys, kept once
    reread = np.zeros(len(nodes.names), dtype=bool)
    reread[list(outbound_after.sample.tables)] = True
    return TunnelTable(
        keys,
        nodes.owner,
        nodes.book.bits,
        outbound=ends[0],
        inbound=ends[1],
        outbound_after=ends[2],
        inbound_after=ends[3],
        inbound_states=received,
        any_source=accepting_any(nodes, inbound),
        kind_sent=kind_sent(nodes, samples, outbound),
        reread=reread,
        ahead_s=ahead_s,
    )


def _odd_keys(sides: Sides) -> Column:
    """Keys of states that a comparison by key alone does not do justice to."""
    odd = [placed.side.key[placed.of_pair & ~placed.regular] for placed in sides]
    return np.unique(np.concatenate(odd))


def _suspects(nodes: Nodes, sides: Sides, table: TunnelTable, odd: Column) -> Bools:
    """Tell of every pair, and of what is none, whether its states are wanted."""
    count = len(nodes.names)
    suspects = _silent_pairs(nodes, sides)
    chosen = np.flatnonzero(doubtful(table))
    suspects[table.nodes(chosen)] = True
    flat = np.append(suspects, False)
    if len(odd):
        for placed in sides:
            flat[placed.pair[np.isin(placed.side.key, odd)]] = True
    flat[-1] = False
    pairs = flat[:-1].reshape(count, count)
    pairs |= pairs.T
    return flat


def _objects(
    nodes: Nodes, sides: tuple[Placed, ...], suspects: Bools, odd: Column
) -> dict[str, tuple[XfrmState, ...]]:
    """Turn the states of suspect pairs into objects, by node."""
    sample = sides[0].sample
    rows: dict[int, list[Column]] = {number: [] for number in sample.tables}
    for placed in sides:
        wanted = suspects[placed.pair]
        if len(odd):
            wanted |= np.isin(placed.side.key, odd)
        if placed.side.direction == IN and len(nodes.any_source):
            source, _ = addresses(placed.side.key, nodes.book.bits)
            wanted |= np.isin(source, nodes.any_source)
        for number, found in sample.rows(placed.side, np.flatnonzero(wanted)):
            rows[number].append(found)
    none = np.zeros(0, dtype=np.intp)
    return {
        nodes.names[number]: CompactStates(
            table.addresses,
            table.rows[np.sort(np.concatenate([none, *rows[number]]))],
        ).to_states()
        for number, table in sample.tables.items()
    }


def _spis(sides: Sides) -> frozenset[int]:
    found: set[int] = set()
    for placed in sides:
        spi = placed.side.key[placed.of_pair] & LAST_SPI
        found.update(np.flatnonzero(np.bincount(spi.astype(np.intp))).tolist())
    return frozenset(found)


def _senders(nodes: Nodes, outbound: Placed) -> Mapping[int, frozenset[str]]:
    sends = np.zeros((LAST_SPI + 1, len(nodes.names)), dtype=bool)
    spi = outbound.side.key[outbound.of_pair] & LAST_SPI
    sends[spi, outbound.side.node[outbound.of_pair]] = True
    return {
        spi: frozenset(nodes.names[n] for n in np.flatnonzero(by_node))
        for spi, by_node in enumerate(sends)
        if by_node.any()
    }


def _strays(nodes: Nodes, sides: tuple[Placed, ...]) -> Iterator[Stray]:
    for placed in sides:
        peer = "source" if placed.side.direction == IN else "destination"
        lost = np.flatnonzero(placed.lost)
        for number, found in placed.sample.rows(placed.side, lost):
            table = placed.sample.tables[number]
            rows = table.rows[found]
            columns = (rows[name].tolist() for name in (peer, "spi", "node_id"))
            for code, spi, node_id in set(zip(*columns, strict=True)):
                name = nodes.names[number]
                yield Stray(name, table.addresses[code], spi, node_id)


def _silent_pairs(nodes: Nodes, sides: Sides) -> Bools:
    """Tell of every pair of nodes that were read whether it lacks outbound states."""
    count = len(nodes.names)
    sends = np.zeros(count * count + 1, dtype=bool)
    sends[sides[0].pair] = True
    sends[sides[2].pair] = True
    return ~sends[:-1].reshape(count, count) & _read_pairs(nodes, sides)


def _read_pairs(nodes: Nodes, sides: Sides) -> Bools:
    read = np.zeros(len(nodes.names), dtype=bool)
    read[list(sides[0].sample.tables)] = True
    both: Bools = read[:, None] & read
    np.fill_diagonal(both, val=False)
    return both


def _pairs(nodes: Nodes, sides: Sides, suspects: Bools) -> tuple[tuple[str, str], ...]:
    read = _read_pairs(nodes, sides)
    asked = suspects[:-1].reshape(read.shape) & read
    return tuple(
        (nodes.names[source], nodes.names[destination])
        for source, destination in np.argwhere(asked).tolist()
    )
