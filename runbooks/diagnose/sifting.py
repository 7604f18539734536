"""What a diagnosis needs of very many states: a few objects, and sums of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.columns import (
    SPI_BITS,
    AddressBook,
    Ordered,
    Sample,
    addresses,
    ordered,
)
from runbooks.diagnose.doubts import COLUMNS, doubtful
from runbooks.diagnose.placing import Nodes
from runbooks.diagnose.tunnel_table import End, TunnelTable
from runbooks.diagnose.view import Stray, owner_by_address
from runbooks.snapshot import Snapshot
from runbooks.xfrm.compact import IN, LAST_SPI, OUT, CompactStates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runbooks.diagnose.columns import Bools, Column, Side
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
    owner = owner_by_address(samples, _claims(names, book, outbound, inbound))
    codes = [numbers[owner[a]] if a in owner else -1 for a in book.codes]
    nodes = Nodes(names, book, np.array(codes, dtype=np.int32))
    sides = (
        nodes.place(read, outbound),
        nodes.place(read, inbound),
        nodes.place(reread, reread.side(OUT, COLUMNS["outbound_after"])),
        nodes.place(reread, reread.side(IN, COLUMNS["inbound_after"])),
    )
    table = _tunnels(nodes, sides, np.array([ahead_s(n) or 0.0 for n in names]))
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


def _claims(
    names: tuple[str, ...], book: AddressBook, outbound: Side, inbound: Side
) -> Mapping[str, str]:
    """Who alone has states that start or end at an address, by address."""
    count = np.zeros(len(book.codes), dtype=np.int32)
    claimant = np.zeros(len(book.codes), dtype=np.int32)
    for number in range(len(names)):
        own = np.zeros(len(book.codes), dtype=bool)
        own[addresses(outbound.key[outbound.of(number)], book.bits)[0]] = True
        own[addresses(inbound.key[inbound.of(number)], book.bits)[1]] = True
        claimant[own] = number
        count += own
    alone = (count == 1).tolist()
    return {
        address: names[number]
        for address, number, one in zip(
            book.codes, claimant.tolist(), alone, strict=True
        )
        if one
    }


def _by_key(placed: Placed) -> Ordered:
    return ordered(placed.sample, placed.side, placed.regular)


def _end(placed: Placed, states: Ordered, keys: Column) -> End:
    return End.of(placed.sample, placed.side, states, keys)


def _tunnels(nodes: Nodes, sides: Sides, ahead_s: Column) -> TunnelTable:
    outbound, inbound, outbound_after, inbound_after = sides
    sent, sent_after = _by_key(outbound), _by_key(outbound_after)
    keys = sent.key
    if not np.array_equal(keys, sent_after.key):
        keys = np.union1d(keys, sent_after.key)
    ends = [_end(outbound, sent, keys), _end(outbound_after, sent_after, keys)]
    del sent, sent_after  # each as large as a column of all states
    received = _by_key(inbound)
    ends.append(_end(inbound, received, keys))
    if ends[-1].there.all() and len(received.key) == len(keys):
        received = Ordered(keys, received.at)
    ends.append(_end(inbound_after, _by_key(inbound_after), keys))
    reread = np.zeros(len(nodes.names), dtype=bool)
    reread[list(outbound_after.sample.tables)] = True
    return TunnelTable(
        keys,
        nodes.owner,
        nodes.book.bits,
        outbound=ends[0],
        inbound=ends[2],
        outbound_after=ends[1],
        inbound_after=ends[3],
        inbound_states=received,
        any_source=_accepting_any(nodes, inbound),
        reread=reread,
        ahead_s=ahead_s,
    )


def _accepting_any(nodes: Nodes, inbound: Placed) -> Column:
    key, bits = inbound.side.key, nodes.book.bits
    if not len(nodes.any_source):
        return np.zeros(0, dtype=key.dtype)
    source, destination = addresses(key, bits)
    own = nodes.owner[destination] == inbound.side.node
    of_any = np.isin(source, nodes.any_source) & own
    return np.unique(key[of_any] & ((1 << bits + SPI_BITS) - 1))


def _odd_keys(sides: Sides) -> Column:
    """Keys of states that a comparison by key alone does not do justice to."""
    odd = [placed.side.key[placed.of_pair & ~placed.regular] for placed in sides]
    return np.unique(np.concatenate(odd))


def _suspects(nodes: Nodes, sides: Sides, table: TunnelTable, odd: Column) -> Bools:
    """Tell of every pair, and of what is none, whether its states are wanted."""
    count = len(nodes.names)
    suspects = np.zeros((count, count), dtype=bool)
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


def _pairs(nodes: Nodes, sides: Sides, suspects: Bools) -> tuple[tuple[str, str], ...]:
    count = len(nodes.names)
    sends = np.zeros(count * count + 1, dtype=bool)
    sends[sides[0].pair] = True
    sends[sides[2].pair] = True
    asked = (suspects | ~sends)[:-1].reshape(count, count)
    read = np.zeros(count, dtype=bool)
    read[list(sides[0].sample.tables)] = True
    asked &= read[:, None] & read
    np.fill_diagonal(asked, val=False)
    return tuple(
        (nodes.names[source], nodes.names[destination])
        for source, destination in np.argwhere(asked).tolist()
    )
