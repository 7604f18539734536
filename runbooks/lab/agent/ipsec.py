"""XFRM states and policies of a node's peers, kept as cilium-agent keeps them.

Native routing, IPv4: one inbound and one outbound state per peer and SPI
(pkg/datapath/linux/ipsec/ipsec_linux.go)::

    own kernel         peer's kernel
    out  own -> peer   in   own -> peer     key(own, peer)
    in   peer -> own   out  peer -> own     key(peer, own)
"""

from __future__ import annotations

import errno
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.agent.log import log
from runbooks.xfrm.keys import IpsecKey, derive_pair_key
from runbooks.xfrm.model import Direction, Mark, XfrmPolicy, XfrmState, XfrmTemplate
from runbooks.xfrm.netlink import NewPolicy, NewState, XfrmSocket

if TYPE_CHECKING:
    from runbooks.lab.agent.nodes import Node

MODULE = "agent.datapath.ipsec-key-custodian"
_ANY = "0.0.0.0/0"
_NO_ADDRESS = str(ipaddress.IPv4Address(0))
_OUT_MASK = 0xFFFFFF00
_IN_MASK = 0xFFFF0F00


def outbound_mark(node_id: int, spi: int) -> int:
    """The mark that leads a packet to a peer's outbound policy and state."""
    return node_id << 16 | spi << 12 | 0xE00


def inbound_mark(node_id: int) -> int:
    """The mark that leads a packet from a peer to its inbound state."""
    return node_id << 16 | 0xD00


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer and the node ID that this node gave it."""

    node: Node
    node_id: int


class Ipsec:
    """Programs one kernel.

    Args:
        own: This node.
        xfrm: An open socket to the kernel.
    """

    def __init__(self, own: Node, xfrm: XfrmSocket) -> None:
        self._own = own
        self._xfrm = xfrm

    def ensure_base_policies(self) -> None:
        """The catch-alls and the default-drop that every node has."""
        optional = XfrmTemplate(_NO_ADDRESS, _NO_ADDRESS, 0, 0, optional=True)
        base = [
            NewPolicy(_ANY, _ANY, Direction.IN, template=optional),
            NewPolicy(_ANY, _ANY, Direction.FWD, priority=2975, template=optional),
            # Nothing leaves in plain text while states are replaced.
            NewPolicy(
                _ANY,
                _ANY,
                Direction.OUT,
                action="block",
                priority=100,
                mark=Mark(0xE00, 0xF00),
            ),
        ]
        for policy in base:
            self._xfrm.update_policy(policy)

    def ensure_peer(self, peer: Peer, key: IpsecKey, *, rebooted: bool) -> None:
        """Make sure of a peer's states and policy under a key's SPI.

        A state that is already there stays as it is, unless the peer has
        rebooted: cilium-agent does not replace states, which is what lets them
        go stale.
        """
        own, node = self._own, peer.node
        spi = key.key_id
        states = [
            self._state(node, own, key, Mark(inbound_mark(peer.node_id), _IN_MASK)),
            self._state(
                own, node, key, Mark(outbound_mark(peer.node_id, spi), _OUT_MASK)
            ),
        ]
        for state in states:
            if rebooted:
                self._delete(state.destination, spi, state.mark)
            try:
                self._xfrm.add_state(state)
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
        self._xfrm.update_policy(
            NewPolicy(
                _ANY,
                node.pod_cidr,
                Direction.OUT,
                mark=Mark(outbound_mark(peer.node_id, spi), _OUT_MASK),
                template=XfrmTemplate(own.cilium_ip, node.cilium_ip, spi, 1),
            )
        )

    def forget_node_id(self, node_id: int) -> None:
        """Delete every state and policy that carries a node ID, in all SPIs."""
        for state in self._xfrm.states():
            if state.direction and state.mark and state.mark.node_id == node_id:
                self._delete(state.destination, state.spi, state.mark)
        for policy in self._xfrm.policies():
            if policy.mark and policy.mark.node_id == node_id:
                self._delete_policy(policy)

    def old_spis(self, spi: int) -> set[int]:
        """SPIs in the kernel other than the present one."""
        return {s.spi for s in self._xfrm.states() if s.direction} - {spi}

    def reclaim(self, spi: int, keep: set[int]) -> None:
        """Delete states and policies of SPIs whose time is up.

        Args:
            spi: The present SPI.
            keep: Old SPIs whose time is not up.
        """
        for policy in self._xfrm.policies():
            old = policy.templates[0].spi if policy.templates else 0
            if old and old != spi and old not in keep:
                self._delete_policy(policy)
                log(
                    "Deleting stale XFRM policy",
                    module=MODULE,
                    spi=spi,
                    oldSPI=old,
                    sourceIP=policy.source,
                    destinationIP=policy.destination,
                    nodeID=hex(policy.mark.node_id if policy.mark else 0),
                )
        for state in self._xfrm.states():
            if state.direction and state.spi != spi and state.spi not in keep:
                self._delete(state.destination, state.spi, state.mark)

    def states(self) -> list[XfrmState]:
        """Cilium's states of this kernel."""
        return [s for s in self._xfrm.states() if s.direction]

    def _state(
        self, source: Node, destination: Node, key: IpsecKey, mark: Mark
    ) -> NewState:
        pair = (
            source.cilium_ip,
            destination.cilium_ip,
            source.boot_id,
            destination.boot_id,
        )
        return NewState(
            source=source.cilium_ip,
            destination=destination.cilium_ip,
            spi=key.key_id,
            algorithm=key.algorithm,
            key=derive_pair_key(key.key, *pair),
            icv_bits=key.icv_bits or 0,
            encryption_algorithm=key.encryption_algorithm,
            encryption_key=derive_pair_key(key.encryption_key, *pair),
            mark=mark,
            output_mark=Mark(mark.action, _OUT_MASK),
        )

    def _delete(self, destination: str, spi: int, mark: Mark | None) -> None:
        try:
            self._xfrm.delete_state(destination, spi, mark)
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise

    def _delete_policy(self, policy: XfrmPolicy) -> None:
        known_by = NewPolicy(
            policy.source, policy.destination, policy.direction, mark=policy.mark
        )
        try:
            self._xfrm.delete_policy(known_by)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
