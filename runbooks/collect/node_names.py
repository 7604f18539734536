"""Which node a folder of an archive is about."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from runbooks.collect import node_files
from runbooks.collect.objects import node_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import PurePosixPath

    from runbooks.collect.node_files import NodeFiles
    from runbooks.collect.objects import Object
    from runbooks.snapshot import ClusterFacts

#: Name of what cilium-bugtool writes, packed or not.
BUGTOOL = re.compile(r"(?:.*-)?cilium-bugtool-(?P<rest>.+?)(?:\.tar(?:\.gz)?|\.tgz)?")
_SYSDUMP = re.compile(r"(?:.*-)?cilium-sysdump-.*")
_ARCHIVE = re.compile(r"\.(?:zip|tar|tar\.gz|tgz)$")
_SYSDUMP_TIME = re.compile(r"-\d{8}-\d{6}$")


class NodeNames:
    """Names of the nodes in an archive.

    Args:
        folders: All folders that hold a node's files.
        pods: The agents' Pods.
        cluster: What the cluster's objects say.
        top: Name of the archive.
    """

    def __init__(
        self,
        folders: Iterable[PurePosixPath],
        pods: Collection[Object],
        cluster: ClusterFacts,
        top: str,
    ) -> None:
        self._pods = pods
        self._cluster = cluster
        self._top = top
        inside = Counter(folder.parent for folder in folders)
        # A folder of several nodes is named after none of them.
        self._shared = {parent for parent, count in inside.items() if count > 1}

    def of(self, folder: PurePosixPath, files: NodeFiles) -> str:
        """The name of the node that a folder is about.

        Args:
            folder: The folder, or the archive in its place.
            files: The node's files in it.
        """
        match = BUGTOOL.fullmatch(folder.name)
        if match is None and folder.name and not is_archive_name(folder.name):
            return folder.name
        return (
            self._by_pod(folder)
            or _known(files, self._cluster)
            or node_files.local_node_name(files)
            or node_files.hostname(files)
            or self._by_parent(folder.parent)
            or (_SYSDUMP_TIME.sub("", match["rest"]) if match else self._top)
        )

    def _by_pod(self, folder: PurePosixPath) -> str | None:
        for part in reversed(folder.parts):
            # An agent's archive that was left packed has a folder of another name.
            if (outer := BUGTOOL.fullmatch(part)) is not None:
                name = _SYSDUMP_TIME.sub("", outer["rest"])
                for pod in self._pods:
                    if (pod.get("metadata") or {}).get("name") == name and node_of(pod):
                        return str(node_of(pod))
        return None

    def _by_parent(self, parent: PurePosixPath) -> str | None:
        """The name that somebody gave to what is around a node's folder."""
        tools_own = BUGTOOL.fullmatch(parent.name) or _SYSDUMP.fullmatch(parent.name)
        if parent in self._shared or tools_own:
            return None
        return _ARCHIVE.sub("", parent.name) or None


def is_archive_name(name: str) -> bool:
    """Whether a file is an archive, by its name."""
    return _ARCHIVE.search(name) is not None


def _known(files: NodeFiles, cluster: ClusterFacts) -> str | None:
    host, boot_id = node_files.hostname(files), node_files.boot_id(files)
    for facts in cluster.cilium_nodes.values():
        if (boot_id is not None and facts.boot_id == boot_id) or host == facts.name:
            return facts.name
    node = node_files.read_node("", files)
    addresses = {*node.cilium_internal_ips, *node.internal_ips}
    for facts in cluster.cilium_nodes.values():
        if not addresses.isdisjoint((*facts.cilium_internal_ips, *facts.internal_ips)):
            return facts.name
    return None
