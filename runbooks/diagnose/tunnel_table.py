"""Both ends of every tunnel side by side, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.columns import SPI_BITS, addresses
from runbooks.xfrm.compact import LAST_SPI

if TYPE_CHECKING:
    from runbooks.diagnose.columns import (
        Bools,
        Column,
        Ordered,
        Positions,
        Sample,
        Side,
    )


@dataclass(frozen=True, slots=True)
class End:
    """One end of every tunnel in one sample.

    Attributes:
        sample: The sample.
        side: The states that the end is among.
        there: Which tunnels have this end.
        at: Where its state stands in the side; 0 where there is none.
    """

    sample: Sample
    side: Side
    there: Bools
    at: Positions

    @classmethod
    def of(cls, sample: Sample, side: Side, states: Ordered, keys: Column) -> End:
        """Look the ends of tunnels up.

        Args:
            sample: The sample.
            side: A side of it.
            states: States of the side by key.
            keys: Of the tunnels, ascending.
        """
        if np.array_equal(states.key, keys):
            return cls(sample, side, np.ones(len(keys), dtype=bool), states.at)
        if not len(states.key):
            nowhere = np.zeros(len(keys), dtype=np.uint32)
            return cls(sample, side, np.zeros(len(keys), dtype=bool), nowhere)
        found = np.searchsorted(states.key, keys)
        found[found == len(states.key)] = 0
        there = states.key[found] == keys
        return cls(sample, side, there, np.where(there, states.at[found], 0))

    def column(self, name: str) -> Column:
        """A gathered column of the side, in the order of the tunnels.

        What stands for a tunnel without this end has no meaning.
        """
        column = self.side.columns[name]
        if not len(column):
            return np.zeros(len(self.at), dtype=column.dtype)
        return column[self.at]

    def rows(self, chosen: Positions) -> Column:
        """Whole rows of some tunnels, all of which have this end.

        Args:
            chosen: Positions of the tunnels.
        """
        at, back = np.unique(self.at[chosen], return_inverse=True)
        return self.sample.fetch(self.side, at)[back]


@dataclass(frozen=True, slots=True)
class TunnelTable:
    """Every tunnel between two nodes.

    Attributes:
        key: Source, destination and SPI, ascending.
        owner: Node number by address number; -1 for none.
        address_bits: Bits of an address number in a key.
        outbound: The senders' states in the first sample.
        inbound: The receivers' states in the first sample.
        outbound_after: The senders' states in the second sample.
        inbound_after: The receivers' states in the second sample.
        inbound_states: All inbound states of the first sample, by key.
        any_source: Destination and SPI of states that take any source, as the lower
            part of a key.
        kind_sent: By address, whether any node sends from one of its kind.
        reread: By node, whether its states are in a second sample.
        ahead_s: By node, how far its clock is ahead of the reader's.
    """

    key: Column
    owner: Column
    address_bits: int
    outbound: End
    inbound: End
    outbound_after: End
    inbound_after: End
    inbound_states: Ordered
    any_source: Column
    kind_sent: Bools
    reread: Bools
    ahead_s: Column

    def nodes(self, chosen: Positions) -> tuple[Column, Column]:
        """The numbers of the nodes that send and that receive.

        Args:
            chosen: Positions of tunnels.
        """
        source, destination = addresses(self.key[chosen], self.address_bits)
        return self.owner[source], self.owner[destination]

    @property
    def rotating(self) -> bool:
        """Whether there are tunnels under more than one SPI."""
        spi = self.key & LAST_SPI
        return bool((spi != spi[:1]).any())

    @property
    def from_sent_kind(self) -> Bools:
        """Whether any node sends from an address of the source address's kind."""
        source, _ = addresses(self.key, self.address_bits)
        found: Bools = self.kind_sent[source]
        return found

    @property
    def has_outbound(self) -> Bools:
        """Whether the sender can encrypt, by either sample."""
        return self.outbound.there | self.outbound_after.there

    @property
    def has_inbound(self) -> Bools:
        """Whether the receiver can decrypt, by either sample."""
        there = self.inbound.there | self.inbound_after.there
        if len(self.any_source):
            lower = self.key & ((1 << self.address_bits + SPI_BITS) - 1)
            there |= np.isin(lower, self.any_source)
        return there

    def reverse(self, chosen: Positions) -> tuple[Bools, Column]:
        """The inbound states of the same addresses and SPI the other way.

        Args:
            chosen: Positions of tunnels.

        Returns:
            Which of the tunnels have one, and the rows of those.
        """
        source, destination = addresses(self.key[chosen], self.address_bits)
        back = destination << self.address_bits
        back |= source
        back <<= SPI_BITS
        back |= self.key[chosen] & LAST_SPI
        keys, order = np.unique(back, return_inverse=True)
        inbound = self.inbound
        end = End.of(inbound.sample, inbound.side, self.inbound_states, keys)
        there = end.there[order]
        return there, end.rows(order[there])
