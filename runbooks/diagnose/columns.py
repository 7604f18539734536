"""All states of a snapshot as columns, for clusters that have too many for objects.

A *side* is the inbound or the outbound states of all nodes, node by node. A state's
*key* is its source address, destination address and SPI as one number, so that the
two ends of a tunnel have the same one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runbooks.xfrm.compact import LAST_SPI, ROW, CompactStates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from runbooks.snapshot import NodeSnapshot, Snapshot

    Column = NDArray[Any]
    Bools = NDArray[np.bool_]
    #: Where states stand in a side.
    Positions = NDArray[Any]

SPI_BITS = LAST_SPI.bit_length()


@dataclass(slots=True)
class AddressBook:
    """The addresses of all nodes, each with one number.

    Attributes:
        codes: Number by address.
    """

    codes: dict[str, int] = field(default_factory=dict)
    _of_table: dict[int, tuple[tuple[str, ...], Column]] = field(default_factory=dict)

    def add(self, addresses: tuple[str, ...]) -> Column:
        """Number the addresses of a table; tables may share theirs."""
        known = self._of_table.get(id(addresses))
        if known is None:
            codes = self.codes
            try:
                numbers = list(map(codes.__getitem__, addresses))
            except KeyError:
                numbers = [codes.setdefault(a, len(codes)) for a in addresses]
            known = (addresses, np.array(numbers, dtype=np.uint32))
            self._of_table[id(addresses)] = known
        return known[1]

    @property
    def bits(self) -> int:
        """How many bits hold every number."""
        return max(1, (len(self.codes) - 1).bit_length())

    @property
    def key_type(self) -> type[np.unsignedinteger[Any]]:
        """The smallest type that holds keys; they are most of the memory."""
        return np.uint32 if 2 * self.bits + SPI_BITS <= 32 else np.uint64


@dataclass(slots=True)
class Side:
    """The inbound or the outbound states of all nodes.

    Attributes:
        direction: ``IN`` or ``OUT``.
        key: Source, destination and SPI of each state.
        offsets: Where each node's states begin, and where the last one's end.
        columns: More of each state, by the names of `ROW`.
    """

    direction: int
    key: Column
    offsets: Positions
    columns: dict[str, Column]

    @property
    def node(self) -> Column:
        """The number of each state's node."""
        counts = np.diff(self.offsets)
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    def of(self, node: int) -> slice:
        """Where the states of a node are."""
        return slice(self.offsets[node], self.offsets[node + 1])


@dataclass(slots=True)
class Sample:
    """The states of one snapshot.

    Attributes:
        tables: By node number; nodes that were not read have none.
        nodes: How many node numbers there are.
        book: The numbers of addresses, the same for all samples.
    """

    tables: Mapping[int, CompactStates]
    nodes: int
    book: AddressBook

    @classmethod
    def of(
        cls, snapshot: Snapshot, numbers: Mapping[str, int], book: AddressBook
    ) -> Sample:
        """Take the states of a snapshot, whatever form they have.

        Args:
            snapshot: The snapshot.
            numbers: Number of every node.
            book: Gets the addresses.
        """
        tables = {
            numbers[node.name]: table
            for node in snapshot.nodes.values()
            if (table := _table(node)) is not None
        }
        for table in tables.values():
            book.add(table.addresses)
        return cls(tables, len(numbers), book)

    def side(self, direction: int, names: Sequence[str] = ()) -> Side:
        """Gather the states of one direction.

        Args:
            direction: ``IN`` or ``OUT``.
            names: Columns that are wanted beside the keys.
        """
        bits, key_type = self.book.bits, self.book.key_type
        counts = np.zeros(self.nodes, dtype=np.intp)
        for number, table in self.tables.items():
            counts[number] = np.count_nonzero(table.rows["direction"] == direction)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        side = Side(
            direction,
            np.empty(offsets[-1], dtype=key_type),
            offsets,
            {name: np.empty(offsets[-1], dtype=ROW[name]) for name in names},
        )
        for number, table in self.tables.items():
            codes = self.book.add(table.addresses).astype(key_type)
            own = side.of(number)
            of_direction = table.rows["direction"] == direction
            key = codes[table.rows["source"][of_direction]] << bits
            key |= codes[table.rows["destination"][of_direction]]
            key <<= SPI_BITS
            key |= table.rows["spi"][of_direction]
            side.key[own] = key
            for name, column in side.columns.items():
                column[own] = table.rows[name][of_direction]
        return side

    def rows(self, side: Side, chosen: Positions) -> Iterator[tuple[int, Positions]]:
        """Find states of a side in their nodes' tables.

        Args:
            side: The side.
            chosen: Positions in it, ascending.

        Yields:
            The number of each node that has any of them, and which rows they are.
        """
        edges = np.searchsorted(chosen, side.offsets)
        for number, table in self.tables.items():
            own = chosen[edges[number] : edges[number + 1]]
            if len(own):
                of_direction = table.rows["direction"] == side.direction
                rows = np.flatnonzero(of_direction)
                yield number, rows[own - side.offsets[number]]

    def fetch(self, side: Side, chosen: Positions) -> Column:
        """Whole rows of a side.

        Args:
            side: The side.
            chosen: Positions in it, ascending.

        Returns:
            One row of type `ROW` each; the addresses' numbers are those of the
            node's own table.
        """
        found = [
            (number, self.tables[number].rows[rows])
            for number, rows in self.rows(side, chosen)
        ]
        # Node numbers rise with positions, whatever order the tables have.
        found.sort(key=lambda pair: pair[0])
        if not found:
            return np.empty(0, dtype=ROW)
        return np.concatenate([rows for _, rows in found])


@dataclass(frozen=True, slots=True)
class Ordered:
    """States of a side in the order of their keys, each key once.

    Attributes:
        key: Ascending.
        at: Where they stand in the side.
    """

    key: Column
    at: Positions


def ordered(sample: Sample, side: Side, wanted: Bools) -> Ordered:
    """Order states by key.

    Left-overs may share addresses and SPI under another mark: the one that is least
    suspicious counts, as it does among objects.

    Args:
        sample: The sample that the side is of.
        side: The side.
        wanted: Which of its states; no key of theirs is on two nodes.
    """
    at = np.flatnonzero(wanted).astype(np.uint32)
    bits = max(1, len(wanted).bit_length())
    if 2 * sample.book.bits + SPI_BITS + bits <= 64:
        # One sort of numbers is much faster than one of positions by numbers.
        packed = side.key[wanted].astype(np.uint64)
        packed <<= bits
        packed |= at
        packed.sort()
        np.bitwise_and(packed, np.uint64((1 << bits) - 1), out=at, casting="unsafe")
        packed >>= bits
        key = packed.astype(side.key.dtype)
    else:
        at = at[np.argsort(side.key[at], kind="stable")]
        key = side.key[at]
    again = key[1:] == key[:-1]
    if not again.any():
        return Ordered(key, at)
    first = np.concatenate([[True], ~again])
    kept = Ordered(key[first], at[first])
    shared = np.sort(at[np.concatenate([again, [False]]) | ~first])
    rows = sample.fetch(side, shared)
    keys = side.key[shared]
    best = np.lexsort((rows["seq"], ~rows["oseq"], keys))
    best = best[np.concatenate([[True], keys[best][1:] != keys[best][:-1]])]
    kept.at[np.searchsorted(kept.key, keys[best])] = shared[best]
    return kept


def addresses(key: Column, bits: int) -> tuple[Column, Column]:
    """The numbers of both addresses of keys.

    Args:
        key: Keys of states.
        bits: Bits of an address number in them.

    Returns:
        Source and destination.
    """
    both = key >> SPI_BITS
    return both >> bits, both & ((1 << bits) - 1)


def _table(node: NodeSnapshot) -> CompactStates | None:
    if node.compact is not None:
        return node.compact
    return None if node.states is None else CompactStates.of_states(node.states)
