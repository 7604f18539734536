"""Where nodes announce themselves: etcd, or CiliumNode objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.agent.config import AgentConfig
    from runbooks.lab.agent.nodes import Node


class StoreMissingError(Exception):
    """The agent was asked for a key-value store and has none."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a store asks of its agent, and what it tells it; from any thread.

    Attributes:
        own: Gives the node's own entry as it is now.
        on_node: Called with a peer's entry that is new or another one.
        on_gone: Called with the name of a node whose entry went.
        on_own_node: Called when the node's own Node object has changed.
    """

    own: Callable[[], Node]
    on_node: Callable[[Node], None]
    on_gone: Callable[[str], None]
    on_own_node: Callable[[], None]


class NodeStore(Protocol):
    """One agent's way to announce its node, and to learn of the others."""

    @property
    def source(self) -> str:
        """What ``cilium-dbg node list`` calls it."""

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """What its methods raise when it can't be reached."""

    def status(self) -> dict[str, str]:
        """The part ``kvstore`` of ``cilium-dbg status``."""

    def join(self) -> None:
        """Make ready; waits for the store as long as it takes."""

    def nodes(self) -> tuple[dict[str, Node], int]:
        """Every node's entry, and the store's revision."""

    def follow(self, revision: int) -> None:
        """Begin to tell of changes after a revision; returns at once."""

    def announce(self) -> None:
        """Write the node's own entry."""

    def rewrite(self) -> None:
        """Make sure of the node's own entry, as a job does from time to time."""

    def get(self, key: str, *, prefix: bool) -> list[tuple[str, str]]:
        """Keys and values below a key, or of it alone.

        Raises:
            StoreMissingError: There is no key-value store.
        """


def open_store(config: AgentConfig, hooks: Hooks) -> NodeStore:
    """The store of the agent's mode."""
    # A node's kernel is slow: only what is needed is imported.
    if config.mode == "crd":
        from runbooks.lab.agent.crd import CiliumNodes

        return CiliumNodes(
            config.node,
            config.api_url,
            config.api_token_file,
            config.api_ca_file,
            hooks,
        )
    from runbooks.lab.agent.kvstore import Kvstore

    return Kvstore(config.etcd_host, config.etcd_port, config.lease_ttl_s, hooks)
