"""XFRM states and policies of a node's peers, kept as cilium-agent keeps them.

IPv4: one inbound and one outbound state per peer and SPI, between the
CiliumInternalIPs (pkg/datapath/linux/ipsec/ipsec_linux.go)::

    own kernel         peer's kernel
    out  own -> peer   in   own -> peer     key(own, peer)
    in   peer -> own   out  peer -> own     key(peer, own)

In tunnel mode (the encrypted overlay) the same once more between the node IPs, and
with IPv6 all of it once more between the addresses of that family.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from runbooks.lab.agent.log import log
from runbooks.lab.agent.shapes import Peer, Shape, outbound_policy, states
from runbooks.xfrm.netlink import NewPolicy, NewState, XfrmSocket

if TYPE_CHECKING:
    from runbooks.lab.agent.nodes import Node
    from runbooks.xfrm.keys import IpsecKey
    from runbooks.xfrm.model import Mark, XfrmPolicy, XfrmState

MODULE = "agent.datapath.ipsec-key-custodian"


class Ipsec:
    """Programs one kernel.

    Args:
        own: This node.
        xfrm: An open socket to the kernel.
        shape: What states and policies there are.
    """

    def __init__(self, own: Node, xfrm: XfrmSocket, shape: Shape) -> None:
        self._own = own
        self._xfrm = xfrm
        self._shape = shape
        #: States that were seen in the kernel since one was last deleted.
        self._seen: set[_Identity] = set()

    def ensure_base_policies(self) -> None:
        """The catch-alls and the default-drop that every node has."""
        for policy in self._shape.own_policies(self._own):
            self._xfrm.update_policy(policy)

    def ensure_peer(self, peer: Peer, key: IpsecKey, *, rebooted: bool) -> None:
        """Make sure of a peer's states and policies under a key's SPI.

        A state that is already there stays as it is, unless the peer has
        rebooted: cilium-agent does not replace states, which is what lets them
        go stale.
        """
        own, shape = self._own, self._shape
        for tunnel in shape.tunnels(own, peer.node):
            inbound, outbound = states(shape, own, peer, tunnel, key)
            self._ensure_state(inbound, rebooted=rebooted)
            if not self._ensure_state(outbound, rebooted=rebooted):
                continue  # cilium-agent leaves the policy of such a state as it was
            self._xfrm.update_policy(outbound_policy(tunnel, peer, key.key_id))
        for policy in shape.inbound_policies(own, peer.node):
            self._xfrm.update_policy(policy)

    def _ensure_state(self, state: NewState, *, rebooted: bool) -> bool:
        """Make sure of a state; false if another source's is in its place.

        The kernel tells states apart by all but the source.
        """
        # Without ESN no boot ID is in the key, so that nothing has changed.
        if rebooted and state.esn:
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
            ours = policy.mark is not None and policy.mark.action
            old = policy.templates[0].spi if ours and policy.templates else 0
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
