"""What ConfigMap ``cilium-config`` says, with Cilium's defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.duration import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Cilium's default of kvstore-lease-ttl.
DEFAULT_LEASE_TTL_S = 900.0


def duration_s(config: Mapping[str, str], name: str, default_s: float) -> float:
    """An option that is a duration; its default if it is unset or unreadable."""
    try:
        return parse_duration_s(config.get(name, "")) or default_s
    except ValueError:
        return default_s


def lease_ttl_s(config: Mapping[str, str]) -> float:
    """For how long a node's key in the key-value store outlives its agent."""
    return duration_s(config, "kvstore-lease-ttl", DEFAULT_LEASE_TTL_S)


def reads_key_file_again(config: Mapping[str, str]) -> bool:
    """Whether agents take up a changed key without a restart."""
    return config.get("enable-ipsec-key-watcher", "true") == "true"
