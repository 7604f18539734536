"""A snapshot: everything read from a cluster at one moment, as plain data.

``collect`` makes snapshots, ``diagnose`` reads them; neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbooks.xfrm.brief import BriefStates
    from runbooks.xfrm.compact import CompactStates
    from runbooks.xfrm.model import XfrmPolicy, XfrmState


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What is known of the cilium-agent of a node.

    Attributes:
        pod: Name of its pod, if a cluster was read.
        ready: Whether the pod is ready.
        version: Version as ``cilium-dbg version`` or the image tag gives it.
        started_s: Start of the running container, seconds since 1970.
        previous_finished_s: End of the container before it, likewise.
        restarts: Restart count of the container.
        keys_in_use: From ``cilium-dbg encrypt status``.
        down_since_s: When the container ended, if it does not run now.
        store_trouble: What the agent says of a key-value store that it does not
            reach, in its own words; ``None`` if it does, or was not asked.
    """

    pod: str | None = None
    ready: bool | None = None
    version: str | None = None
    started_s: float | None = None
    previous_finished_s: float | None = None
    restarts: int | None = None
    keys_in_use: int | None = None
    down_since_s: float | None = None
    store_trouble: str | None = None


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """What was read from one node.

    Attributes:
        name: Kubernetes name of the node.
        states: Its XFRM states, Cilium's and others; ``None`` if unread.
        policies: Its XFRM policies; ``None`` if unread.
        led_to: The addresses that its outbound policies lead to, from a node with
            very many, of which only those for all addresses are in ``policies``;
            ``None`` where those are all.
        counters: ``/proc/net/xfrm_stat``, packets since boot; ``None`` if
            unread.
        boot_id: ``/proc/sys/kernel/random/boot_id``.
        internal_ips: Node addresses.
        cilium_internal_ips: Addresses of ``cilium_host``.
        agent: What is known of its agent.
        read_s: When the states were read, seconds since 1970 on the reader's
            clock; ``None`` for archives.
        clock_s: The same moment on the node's own clock, which is also the
            clock of ``added_s`` and ``used_s`` of its states; ``None`` if
            nothing tells.
        unread: What could not be read, a sentence each, for the operator.
        compact: Cilium's XFRM states in columns, where there are too many for
            objects; ``states`` is ``None`` then.
        brief: What its XFRM states sum up to, where it was asked for no more;
            ``states`` may be ``None`` then.
        peers: The nodes that its states were asked for; ``None`` for all.
    """

    name: str
    states: tuple[XfrmState, ...] | None = None
    policies: tuple[XfrmPolicy, ...] | None = None
    led_to: frozenset[str] | None = None
    counters: Mapping[str, int] | None = None
    boot_id: str | None = None
    internal_ips: tuple[str, ...] = ()
    cilium_internal_ips: tuple[str, ...] = ()
    agent: AgentFacts = AgentFacts()
    read_s: float | None = None
    clock_s: float | None = None
    unread: tuple[str, ...] = ()
    compact: CompactStates | None = None
    brief: BriefStates | None = None
    peers: frozenset[str] | None = None

    @property
    def states_read(self) -> bool:
        """Whether its XFRM states were read, in either form."""
        return self.states is not None or self.compact is not None


@dataclass(frozen=True, slots=True)
class CiliumNodeFacts:
    """What the CiliumNode object (or the node's key-value entry) says.

    Attributes:
        name: Name of the node.
        uid: UID of the CiliumNode object.
        created_s: Its creationTimestamp, seconds since 1970.
        node_created_s: creationTimestamp of the Node object of the same name.
        encryption_key: Announced key ID.
        boot_id: Announced boot ID.
        internal_ips: Node addresses.
        cilium_internal_ips: Addresses of ``cilium_host``.
    """

    name: str
    uid: str | None = None
    created_s: float | None = None
    node_created_s: float | None = None
    encryption_key: int | None = None
    boot_id: str | None = None
    internal_ips: tuple[str, ...] = ()
    cilium_internal_ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredNodeFacts:
    """What is known of a node's key in the key-value store.

    Attributes:
        name: Name of the node.
        create_revision: The store's revision that made the key; only etcd itself
            tells, as all that follows.
        mod_revision: The revision that wrote it last.
        lease: ID of the lease that the key hangs on.
        lease_ttl_s: For how long that lease was granted.
        lease_left_s: How long it still lives unless it is renewed.
        created_s: When the key was made, to the minute, seconds since 1970 by the
            operator's clock; ``None`` if the store's history doesn't reach back.
        encryption_key: Announced key ID.
    """

    name: str
    create_revision: int | None = None
    mod_revision: int | None = None
    lease: int | None = None
    lease_ttl_s: float | None = None
    lease_left_s: float | None = None
    created_s: float | None = None
    encryption_key: int | None = None


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The key-value store as a whole.

    Attributes:
        nodes: The nodes' keys, by node name.
        cluster_id: etcd's own ID of its cluster; new with a new store.
        revision: The store's revision when it was read.
    """

    nodes: Mapping[str, StoredNodeFacts] = field(default_factory=dict)
    cluster_id: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """What may be known of the Secret; never any part of its key.

    Attributes:
        key_id: ID of the key that it holds.
        changed_s: When it was last written, seconds since 1970, if it tells.
    """

    key_id: int
    changed_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the cluster's objects say, beside the nodes' kernels.

    Attributes:
        config: ConfigMap ``cilium-config``; empty if unread.
        cilium_nodes: By node name; empty if unread.
        store: The key-value store; ``None`` if unread.
        secret: The Secret ``cilium-ipsec-keys``; ``None`` if unread.
        daemonset_desired: Agents that should run.
        daemonset_updated: Agents on the newest template.
        unread: What could not be read, a sentence each, for the operator.
    """

    config: Mapping[str, str] = field(default_factory=dict)
    cilium_nodes: Mapping[str, CiliumNodeFacts] = field(default_factory=dict)
    store: StoreFacts | None = None
    secret: SecretFacts | None = None
    daemonset_desired: int | None = None
    daemonset_updated: int | None = None
    unread: tuple[str, ...] = ()

    @property
    def stored_nodes(self) -> Mapping[str, StoredNodeFacts]:
        """The nodes' keys in the key-value store; empty unless it was read."""
        return self.store.nodes if self.store else {}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All nodes of a cluster, read one after the other or side by side.

    Attributes:
        nodes: What was read of each, by its name.
        cluster: What the cluster's objects say.
    """

    nodes: Mapping[str, NodeSnapshot]
    cluster: ClusterFacts = field(default_factory=ClusterFacts)


@dataclass(frozen=True, slots=True)
class Samples:
    """One or two snapshots of the same cluster.

    Every read of ``first`` ended before any read of ``second`` began: what an
    inbound state had received in the first, its peer's outbound state must have
    sent by the second, however fast the traffic.

    Attributes:
        first: The complete snapshot.
        second: States and counters a little later; its states may lack
            ``key_hash``. ``None`` when the cluster was read once.
    """

    first: Snapshot
    second: Snapshot | None = None
