"""Who has which address, and so between which two nodes each state is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.columns import SPI_BITS, AddressBook, Sample, Side, addresses
from runbooks.diagnose.view import ANY_SOURCE
from runbooks.xfrm.compact import IN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbooks.diagnose.columns import Bools, Column
    from runbooks.snapshot import Samples


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


def claims(
    names: tuple[str, ...], book: AddressBook, outbound: Side, inbound: Side
) -> Mapping[str, str]:
    """Tell which addresses just one node's states have as their own.

    Args:
        names: All nodes, by number.
        book: Numbers of addresses.
        outbound: Outbound states.
        inbound: Inbound states.

    Returns:
        Name of the node by address.
    """
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


def accepting_any(nodes: Nodes, inbound: Placed) -> Column:
    """Destination and SPI of the states that a node has for all of its peers.

    Args:
        nodes: The nodes.
        inbound: Inbound states.

    Returns:
        The lower part of their keys, ascending.
    """
    key, bits = inbound.side.key, nodes.book.bits
    if not len(nodes.any_source):
        return np.zeros(0, dtype=key.dtype)
    source, destination = addresses(key, bits)
    own = nodes.owner[destination] == inbound.side.node
    of_any = np.isin(source, nodes.any_source) & own
    return np.unique(key[of_any] & ((1 << bits + SPI_BITS) - 1))


def kind_sent(nodes: Nodes, samples: Samples, outbound: Placed) -> Bools:
    """Tell of every address whether anybody sends from one of its kind.

    There are CiliumInternalIPs and node IPs, of IPv4 and of IPv6; which of them have
    states depends on the datapath. Only a CiliumNode tells.

    Args:
        nodes: The nodes.
        samples: The samples, for the CiliumNodes.
        outbound: Outbound states.

    Returns:
        By address number.
    """
    kinds = np.zeros(len(nodes.book.codes), dtype=np.uint8)
    for facts in samples.first.cluster.cilium_nodes.values():
        for first, ips in ((1, facts.internal_ips), (4, facts.cilium_internal_ips)):
            for ip in ips:
                if ip in nodes.book.codes:
                    kinds[nodes.book.codes[ip]] |= first << (":" in ip)
    sends = np.zeros(len(kinds), dtype=bool)
    sends[addresses(outbound.side.key, nodes.book.bits)[0]] = True
    sent = np.bitwise_or.reduce(kinds[sends], initial=0)
    found: Bools = (kinds & np.uint8(sent)) != 0
    return found
