"""Between which two nodes each state is, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.columns import AddressBook, Sample, Side, addresses
from runbooks.diagnose.view import ANY_SOURCE
from runbooks.xfrm.compact import IN

if TYPE_CHECKING:
    from runbooks.diagnose.columns import Bools, Column


@dataclass(frozen=True, slots=True)
class Placed:
    """A side, and where its states belong.

    Attributes:
        sample: Its sample.
        side: The side.
        pair: Number of each state's ordered pair of nodes; the one beyond the last
            pair for states that are of none.
        of_pair: Which states are of a pair.
        lost: Which states have a peer that is no node.
        regular: Which states of a pair have an own address that is their node's.
    """

    sample: Sample
    side: Side
    pair: Column
    of_pair: Bools
    lost: Bools
    regular: Bools


@dataclass(frozen=True, slots=True)
class Nodes:
    """All nodes that samples speak of, and who has which address.

    Attributes:
        names: In order; a node's number is its place. A pair's number is that of
            its sender, times the number of nodes, plus that of its receiver.
        book: Numbers of addresses.
        owner: Node number by address number; -1 for none.
    """

    names: tuple[str, ...]
    book: AddressBook
    owner: Column

    @property
    def any_source(self) -> Column:
        """Numbers of the addresses that stand for all."""
        codes = self.book.codes
        found = [codes[address] for address in ANY_SOURCE if address in codes]
        return np.array(found, dtype=self.book.key_type)

    def place(self, sample: Sample, side: Side) -> Placed:
        """Tell of every state between which nodes it is."""
        source, destination = addresses(side.key, self.book.bits)
        inbound = side.direction == IN
        theirs, own = (source, destination) if inbound else (destination, source)
        peer, node = self.owner[theirs], side.node
        of_pair = (peer >= 0) & (peer != node)
        sender, receiver = (peer, node) if inbound else (node, peer)
        count = len(self.names)
        pair = sender.astype(np.uint32)
        pair *= np.uint32(count)
        pair += receiver.astype(np.uint32)
        pair[~of_pair] = count * count
        regular = of_pair & (self.owner[own] == node)
        lost = peer < 0
        if inbound and len(self.any_source):
            known = ~np.isin(source, self.any_source)
            regular &= known
            lost &= known
        return Placed(sample, side, pair, of_pair, lost, regular)
