"""What nodes are called where there are several clusters."""

from __future__ import annotations


def qualified(context: str, node: str) -> str:
    """A node's name among several clusters."""
    return f"{context}/{node}"


def context_of(name: str) -> str:
    """The cluster of a node; contexts may have slashes, nodes have none."""
    return name.rpartition("/")[0]
