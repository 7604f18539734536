"""Names, addresses and times of a lab, and where it keeps its files."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The lab's own side of the network between the nodes.
GATEWAY = "10.9.0.1"
ETCD_PORT = 2379
#: Where agents reach the Kubernetes API, on the lab's own side.
API_PORT = 6443
MODES = ("kvstore", "crd")
DATAPATHS = ("native", "tunnel")
KERNELS = ("uml", "host")
MIN_NODES, MAX_NODES = 2, 60
#: The version that the lab's agents give as their own; its facts are from there.
CILIUM_VERSION = "1.18.0-dev"
#: One of those that took a key without ``+`` for all pairs.
LEGACY_CILIUM_VERSION = "1.15.8"
KEY_FILE = "/etc/ipsec/keys"
NAMESPACE = "kube-system"
DIRECTORY_VARIABLE = "IPSEC_RUNBOOKS_LABS"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


class LabError(Exception):
    """The lab can't do what was asked; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Times of the cluster; Cilium's own in the comments.

    All in seconds.
    """

    lease_ttl_s: int = 12  # 15 min
    deletion_delay_s: float = 3.0  # 30 s
    rotation_duration_s: float = 8.0  # 5 min
    reclaim_interval_s: float = 1.0  # 1 min
    sync_interval_s: float = 30.0  # 1 to 2 min
    rewrite_interval_s: float = 60.0  # 5 min
    secret_sync_s: float = 0.5  # kubelet: up to 1 min


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node's names and addresses.

    Attributes:
        index: Counts from 1.
    """

    index: int

    @property
    def name(self) -> str:
        """Name in Kubernetes, and the kernel's host name."""
        return f"node{self.index}"

    @property
    def ip(self) -> str:
        """InternalIP."""
        return f"10.9.0.{10 + self.index}"

    @property
    def mac(self) -> str:
        """Address of the device between the nodes."""
        return f"02:09:00:00:00:{self.index:02x}"

    @property
    def pod_cidr(self) -> str:
        """Addresses of the node's pods."""
        return f"10.20.{self.index}.0/24"

    @property
    def cilium_ip(self) -> str:
        """CiliumInternalIP; not the same on every node, as in real clusters."""
        return f"10.20.{self.index}.{(5 + 67 * self.index) % 90 + 1}"

    @property
    def pod_ip(self) -> str:
        """Address of the one pod."""
        return f"10.20.{self.index}.100"

    @property
    def ip6(self) -> str:
        """InternalIP of IPv6, in a lab that has both families, as the next ones."""
        return f"fd00:10:9::{10 + self.index:x}"

    @property
    def pod_cidr6(self) -> str:
        """Addresses of the node's pods, IPv6."""
        return f"fd00:10:20:{self.index:x}::/64"

    @property
    def cilium_ip6(self) -> str:
        """CiliumInternalIP of IPv6."""
        return f"fd00:10:20:{self.index:x}::{(5 + 67 * self.index) % 90 + 1:x}"

    @property
    def pod_ip6(self) -> str:
        """Address of the one pod, IPv6."""
        return f"fd00:10:20:{self.index:x}::100"

    @property
    def tap(self) -> str:
        """The device on the lab's side."""
        return f"tap{self.index}"

    @property
    def inner_tap(self) -> str:
        """The device on the node's side, before the node has it."""
        return f"vec{self.index}"


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab as it was asked for.

    Attributes:
        name: Its name; several run side by side.
        node_count: How many nodes.
        mode: Where nodes learn of each other: ``kvstore`` or ``crd``.
        datapath: How packets travel between nodes: ``native`` or ``tunnel``.
        timings: The cluster's times.
        removed: Indexes below ``node_count`` whose nodes are no longer there.
        ipv6: Whether nodes and pods have addresses of IPv6 beside those of IPv4.
        nodes_on: What nodes run on: ``uml``, a kernel for each, or ``host``, this
            machine's own kernel.
        legacy_sa: Whether states are as they were before keys per pair: one key
            for all, no ESN, no replay window.
    """

    name: str
    node_count: int = 3
    mode: str = "kvstore"
    datapath: str = "native"
    timings: Timings = field(default_factory=Timings)
    removed: tuple[int, ...] = ()
    ipv6: bool = False
    legacy_sa: bool = False
    nodes_on: str = "uml"

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            LabError: A name, number or mode that the lab doesn't have.
        """
        if not _NAME.fullmatch(self.name):
            raise LabError(
                f"the lab's name {self.name!r} is not one: use lower-case letters, "
                "digits and hyphens, 32 at most"
            )
        if not MIN_NODES <= self.node_count <= MAX_NODES:
            raise LabError(
                f"a lab has {MIN_NODES} to {MAX_NODES} nodes, not {self.node_count}"
            )
        for option, value, known in (
            ("--mode", self.mode, MODES),
            ("--datapath", self.datapath, DATAPATHS),
            ("--nodes-on", self.nodes_on, KERNELS),
        ):
            if value not in known:
                raise LabError(f"{option} is {' or '.join(known)}, not {value!r}")

    @property
    def nodes(self) -> tuple[NodePlan, ...]:
        """The nodes' plans, in order."""
        indexes = range(1, self.node_count + 1)
        return tuple(NodePlan(i) for i in indexes if i not in self.removed)

    def with_one_more(self) -> Lab:
        """The lab with another node behind the last.

        Raises:
            LabError: It has as many as there can be.
        """
        return replace(self, node_count=self.node_count + 1)

    def without(self, name: str) -> Lab:
        """The lab without one of its nodes.

        Raises:
            LabError: There is none of that name, or too few would be left.
        """
        node = self.node(name)
        if len(self.nodes) == MIN_NODES:
            raise LabError(f"a lab has {MIN_NODES} nodes at least: {name} stays")
        if node.index == self.node_count:
            return replace(self, node_count=self.node_count - 1)
        return replace(self, removed=(*self.removed, node.index))

    def with_again(self, name: str) -> Lab:
        """The lab with a node that was removed.

        Raises:
            LabError: It is there, or was never one of the lab's.
        """
        if name in {node.name for node in self.nodes}:
            raise LabError(f"lab {self.name!r} has {name} already")
        indexes = {i for i in range(1, MAX_NODES + 1) if NodePlan(i).name == name}
        if not indexes:
            raise LabError(f"lab {self.name!r} can't have a node {name!r}")
        (index,) = indexes
        between = range(self.node_count + 1, index)
        removed = {*self.removed, *between} - {index}
        last = max(self.node_count, index)
        return replace(self, node_count=last, removed=tuple(sorted(removed)))

    @property
    def states_per_peer(self) -> int:
        """XFRM states that a node has for each peer and SPI.

        In tunnel mode (the encrypted overlay of Cilium 1.18) the pair of node IPs
        has two of its own beside those of the pair of CiliumInternalIPs; with both
        families there are twice as many.
        """
        return (4 if self.overlay else 2) * (2 if self.ipv6 else 1)

    @property
    def overlay(self) -> bool:
        """Whether what is encrypted are the tunnel's packets, not those inside."""
        return self.datapath == "tunnel" and not self.legacy_sa

    @property
    def cilium_version(self) -> str:
        """The version that agents give as their own."""
        return LEGACY_CILIUM_VERSION if self.legacy_sa else CILIUM_VERSION

    def esp_address(self, node: NodePlan) -> str:
        """Address of a node's end of the states that carry its pod's IPv4 traffic."""
        return node.ip if self.overlay else node.cilium_ip

    def addresses(self, node: NodePlan) -> list[tuple[str, str]]:
        """A node's own addresses: types and addresses."""
        kinds = {
            "InternalIP": (node.ip, node.ip6),
            "CiliumInternalIP": (node.cilium_ip, node.cilium_ip6),
        }
        count = 2 if self.ipv6 else 1
        return [(kind, ip) for kind, ips in kinds.items() for ip in ips[:count]]

    def pod_cidrs(self, node: NodePlan) -> list[str]:
        """Prefixes of a node's pods, a family each."""
        return [node.pod_cidr, node.pod_cidr6] if self.ipv6 else [node.pod_cidr]

    def pod_ips(self, node: NodePlan) -> list[str]:
        """Addresses of a node's one pod, a family each."""
        return [node.pod_ip, node.pod_ip6] if self.ipv6 else [node.pod_ip]

    @property
    def directory(self) -> Path:
        """Where the lab keeps its files while it runs."""
        return labs_directory() / self.name

    @property
    def kubeconfig(self) -> Path:
        """Credentials of the cluster's administrator."""
        return self.directory / "kubeconfig"

    @property
    def control_socket(self) -> Path:
        """Where the running lab is asked."""
        return self.directory / "control.sock"

    def node_directory(self, node: NodePlan) -> Path:
        """Where the lab keeps what one node reads."""
        return self.directory / "nodes" / node.name

    def token_file(self, node: NodePlan) -> Path:
        """The token that the node's agent shows to the Kubernetes API."""
        return self.node_directory(node) / "token"

    @property
    def authority_file(self) -> Path:
        """Certificate of the authority of the Kubernetes API."""
        return self.directory / "ca.crt"

    @property
    def pid_file(self) -> Path:
        """The first process of the lab's process namespace."""
        return self.directory / "init.pid"

    def node(self, name: str) -> NodePlan:
        """Find a node by its name.

        Raises:
            LabError: There is none of that name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(n.name for n in self.nodes)
        raise LabError(f"lab {self.name!r} has no node {name!r}; it has {names}")

    def differences(self, asked: Mapping[str, object]) -> list[str]:
        """How this lab is not what was asked for.

        Args:
            asked: Values by the name of a field.

        Returns:
            A phrase for each that differs.
        """
        return [
            f"{field} is {getattr(self, field)}, not {value}"
            for field, value in asked.items()
            if getattr(self, field) != value
        ]

    def save(self) -> None:
        """Write ``lab.json``, from which :meth:`load` makes the lab again."""
        (self.directory / "lab.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, name: str) -> Lab:
        """The running lab of a name.

        Raises:
            LabError: No lab of that name runs.
        """
        path = cls(name).directory / "lab.json"
        try:
            kept: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            raise LabError(
                f"no lab {name!r} is running; start it: "
                f"ipsec-runbooks lab up{'' if name == 'lab' else f' --name {name}'}"
            ) from None
        kept["timings"] = Timings(**kept["timings"])
        kept["removed"] = tuple(kept["removed"])
        return cls(**kept)


def labs_directory() -> Path:
    """The folder of this user's labs, one folder each.

    Not below ``/run``: the nodes see the host's files, but have a ``/run`` of
    their own. Not below ``$TMPDIR``: every shell has to find the same one. In a
    user namespace this user has another number, so the lab's own processes are
    told.
    """
    if told := os.environ.get(DIRECTORY_VARIABLE):
        return Path(told)
    return Path(f"/tmp/ipsec-runbooks-{os.getuid()}")  # noqa: S108 (its owner is checked)


def prepare_directory(lab: Lab) -> None:
    """Make the lab's folder, which only its user may enter.

    Raises:
        LabError: The folder is somebody else's, or a lab of that name runs.
    """
    parent = labs_directory()
    parent.mkdir(mode=0o700, exist_ok=True)
    if parent.is_symlink() or parent.stat().st_uid != os.getuid():
        raise LabError(f"{parent} belongs to somebody else; remove it first")
    parent.chmod(0o700)
    try:
        lab.directory.mkdir(mode=0o700)
    except FileExistsError:
        raise LabError(
            f"lab {lab.name!r} is there already; end it: "
            f"ipsec-runbooks lab down --name {lab.name}"
        ) from None
