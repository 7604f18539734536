"""XFRM states and policies of a node's peers, kept as cilium-agent keeps them.

IPv4: one inbound and one outbound state per peer and SPI, between the
CiliumInternalIPs (pkg/datapath/linux/ipsec/ipsec_linux.go)::

    own kernel         peer's kernel
    out  own -> peer   in   own -> peer     key(own, peer)
    in   peer -> own   out  peer -> own     key(peer, own)

In tunnel mode (the encrypted overlay) the same once more between the node IPs.
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
        overlay: Whether packets between node IPs are encrypted as well.
    """

    def __init__(self, own: Node, xfrm: XfrmSocket, *, overlay: bool) -> None:
        self._own = own
        self._xfrm = xfrm
        self._overlay = overlay
        #: States that were seen in the kernel since one was last deleted.
        self._seen: set[_Identity] = set()

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
        """Make sure of a peer's states and policies under a key's SPI.

        A state that is already there stays as it is, unless the peer has
        rebooted: cilium-agent does not replace states, which is what lets them
        go stale.
        """
        own, node, spi = self._own, peer.node, key.key_id
        inbound = Mark(inbound_mark(peer.node_id), _IN_MASK)
        outbound = Mark(outbound_mark(peer.node_id, spi), _OUT_MASK)
        tunnels = [(_Tunnel(own.cilium_ip, node.cilium_ip), _ANY, node.pod_cidr)]
        if self._overlay:
            ends = _Tunnel(own.node_ip, node.node_ip)
            tunnels.append((ends, f"{own.node_ip}/32", f"{node.node_ip}/32"))
        for ends, source, destination in tunnels:
            into, out = (
                _state(ends.reversed(), (node.boot_id, own.boot_id), key, inbound),
                _state(ends, (own.boot_id, node.boot_id), key, outbound),
            )
            self._ensure_state(into, rebooted=rebooted)
            if not self._ensure_state(out, rebooted=rebooted):
                continue  # cilium-agent leaves the policy of such a state as it was
            self._xfrm.update_policy(
                NewPolicy(
                    source,
                    destination,
                    Direction.OUT,
                    mark=outbound,
                    template=XfrmTemplate(ends.source, ends.destination, spi, 1),
                )
            )

    def _ensure_state(self, state: NewState, *, rebooted: bool) -> bool:
        """Make sure of a state; false if another source's is in its place.

        The kernel tells states apart by all but the source.
        """
        if rebooted:
            self._delete(state.destination, state.spi, state.mark)
        try:
            self._xfrm.add_state(state)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            if _identity(state) not in self._seen:
                self._seen = {_identity(s) for s in self._xfrm.states()}
            if _identity(state) not in self._seen:
                log(
                    "unable to replace local state: file exists",
                    level="error",
                    module=MODULE,
                    sourceIP=state.source,
                    destinationIP=state.destination,
                    spi=state.spi,
                )
                return False
        return True

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

    def _delete(self, destination: str, spi: int, mark: Mark | None) -> None:
        self._seen.clear()
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


#: Source, destination, SPI and mark.
_Identity = tuple[str, str, int, "Mark | None"]


def _identity(state: NewState | XfrmState) -> _Identity:
    return state.source, state.destination, state.spi, state.mark


@dataclass(frozen=True, slots=True)
class _Tunnel:
    """The outer addresses of a state."""

    source: str
    destination: str

    def reversed(self) -> _Tunnel:
        """The other direction."""
        return _Tunnel(self.destination, self.source)


def _state(
    ends: _Tunnel, boot_ids: tuple[str, str], key: IpsecKey, mark: Mark
) -> NewState:
    """A state as cilium-agent makes it.

    Args:
        ends: Its addresses.
        boot_ids: Of the sending node and of the receiving one.
        key: The key file's.
        mark: The state's mark.
    """
    pair = (ends.source, ends.destination, *boot_ids)
    return NewState(
        source=ends.source,
        destination=ends.destination,
        spi=key.key_id,
        algorithm=key.algorithm,
        key=derive_pair_key(key.key, *pair),
        icv_bits=key.icv_bits or 0,
        encryption_algorithm=key.encryption_algorithm,
        encryption_key=derive_pair_key(key.encryption_key, *pair),
        mark=mark,
        output_mark=Mark(mark.action, _OUT_MASK),
    )
