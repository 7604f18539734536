"""A snapshot from files: a snapshot folder, a sysdump, or bugtool archives.

All three hold the same files per node (:mod:`runbooks.collect.node_files`); they
differ in the folders around them, and in what tells which node a folder is:

==============================  ==============================================
``node1/[cmd/]...``             the folder's own name (snapshot folder)
``cilium-bugtool-<pod>-<ts>/``  the Pod of that name (sysdump)
``cilium-bugtool-<time>-<n>/``  the boot ID or an address that a CiliumNode has,
                                the agent's node list, or the host's name
==============================  ==============================================
"""

from __future__ import annotations

import codecs
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from runbooks.collect import node_files
from runbooks.collect.archive import UnreadFile, wanted_files
from runbooks.collect.errors import UsageError
from runbooks.collect.node_files import NodeFile, NodeFiles
from runbooks.collect.node_lists import listed_nodes
from runbooks.collect.node_names import BUGTOOL, NodeNames, is_archive_name
from runbooks.collect.objects import (
    AGENT_CONTAINER,
    Object,
    agent_facts,
    cluster_facts,
    is_agent,
    node_of,
)
from runbooks.snapshot import (
    NodeSnapshot,
    Samples,
    SecretFacts,
    Snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path, PurePosixPath

#: Below a node's folder: the same files, read a little later.
SECOND_SAMPLE = "second-sample"
#: Per sample and node: when it was read, on the reader's clock, and what was not.
READING = "reading.json"

_OBJECT_FILES: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(rf"(?:{names})(?:-\d{{8}}-\d{{6}})?\.(?:ya?ml|json)")
    for kind, names in {
        "ciliumnodes": "ciliumnodes|cn",
        "config": "cilium-config-configmap|cilium-configmap|cilium-config|cilium-cm",
        "nodes": "k8s-nodes|nodes",
        "pods": "k8s-pods|pods|k8s-pods-kube-system",
        "daemonset": "cilium-daemonset|cilium-ds",
        "stored": "etcd_nodes|cilium-kvstore-nodes",
    }.items()
}
_UNPACKED = re.compile(r"\.(?:tar(?:\.gz)?|tgz)$")
_TOP_LEVEL_KEY = re.compile(r"^(?=\w)", re.MULTILINE)
_LIST_ITEM = re.compile(r"^(\s*)- ", re.MULTILINE)

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What reading something of another shape runs into.
#: What facts are taken from, beside the metadata.
_PARTS_OF = {
    "pods": ("spec", "status"),
    "ciliumnodes": ("spec",),
    "config": ("data",),
    "daemonset": ("status",),
}
_MISSHAPEN = (AttributeError, KeyError, OverflowError, TypeError, ValueError)

# libyaml's loader is an order of magnitude faster, and not everywhere.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Found:
    """Everything of interest in an archive."""

    nodes: dict[PurePosixPath, dict[str, NodeFile]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    objects: dict[str, list[Object]] = field(default_factory=lambda: defaultdict(list))
    reading: Mapping[str, Any] = field(default_factory=dict)
    unread: list[UnreadFile] = field(default_factory=list)
    _names: dict[tuple[PurePosixPath, str], str] = field(default_factory=dict)

    def add_node_file(self, path: PurePosixPath, kind: str, file: NodeFile) -> None:
        """Take a node's file; of two names for it, the better one counts."""
        folder = path.parent.parent if path.parent.name == "cmd" else path.parent
        files = self.nodes[folder]
        known = self._names.get((folder, kind))
        name = path.name.removesuffix(".md").removesuffix(".txt")
        if known == name and files[kind].text != file.text:
            self.unread.append(
                UnreadFile(
                    path, "it is there twice, and not the same; the first counts"
                )
            )
        if known is None or node_files.is_better_name(kind, name, known):
            files[kind] = file
            self._names[folder, kind] = name


def read_archive(path: Path) -> Samples:
    """Read a snapshot folder, a sysdump or bugtool archives.

    Args:
        path: A folder, a zip, or a tar.

    Returns:
        One sample, or two where the folder holds a second one.

    Raises:
        UsageError: There is nothing of a node to read, or two dumps are mixed.
    """
    found = _find(path)
    if not found.nodes:
        sentences = "".join(f" {_sentence(file)}" for file in found.unread[:3])
        raise UsageError(
            f"{path} holds no XFRM states of any node: expected folders with files"
            f" such as {node_files.STATES}.md, as cilium-bugtool writes them"
            f" (cilium sysdump --quick leaves them out).{sentences}"
        )
    cluster = cluster_facts(
        config_map=next(iter(found.objects["config"]), None),
        cilium_nodes=found.objects["ciliumnodes"],
        nodes=found.objects["nodes"],
        daemonset=next(iter(found.objects["daemonset"]), None),
        store=next(iter(found.objects["stored"]), None),
        secret=_secret(found.reading),
        unread=map(str, found.reading.get("cluster") or ()),
    )
    cluster = replace(cluster, unread=(*cluster.unread, *map(_sentence, found.unread)))
    pods = [pod for pod in found.objects["pods"] if is_agent(pod)]
    homes = [folder for folder in found.nodes if folder.name != SECOND_SAMPLE]
    names = NodeNames(homes, pods, cluster, path.name)
    first = {node.name: node for node in _unread_nodes(found.reading, "first")}
    second = {node.name: node for node in _unread_nodes(found.reading, "second")}
    for folder, files in sorted(found.nodes.items()):
        later = folder.name == SECOND_SAMPLE
        home = folder.parent if later else folder
        name = names.of(home, found.nodes.get(home, {}))
        node = _with_reading(
            node_files.read_node(name, files), found.reading, later=later
        )
        target = second if later else first
        if name not in target or target[name].states is None:
            target[name] = node
        elif node.states not in (None, target[name].states):
            raise UsageError(
                f"{path} holds {name} twice, and not the same: {folder} is the other"
                " one. Give one dump at a time."
            )
    for file in found.unread:
        name = names.of(_folder_of(file.path), {})
        if _is_a_nodes(file.path) and name not in first:
            first[name] = NodeSnapshot(name, unread=(_sentence(file),))
    if not cluster.cilium_nodes:
        listed = listed_nodes(found.nodes.values(), first.values())
        cluster = replace(cluster, cilium_nodes=listed)
    first = {name: _with_agent(node, pods) for name, node in first.items()}
    return Samples(
        first=Snapshot(nodes=first, cluster=cluster),
        second=Snapshot(nodes=second) if second else None,
    )


def _find(path: Path) -> _Found:
    found = _Found()
    for file in wanted_files(path, _wanted, found.unread):
        text = _text(file.content)
        kind = node_files.kind_of(file.path.name)
        if file.path.name == READING:
            found.reading = _reading(text)
        elif (objects := _object_kind(file.path.name)) is not None:
            try:
                for thing in _objects(objects, text):
                    _require_shape(objects, thing)
                    found.objects[objects].append(thing)
            except (*_MISSHAPEN, RecursionError, yaml.YAMLError):
                problem = "it is no list of objects as the API gives them"
                found.unread.append(UnreadFile(file.path, problem))
        elif kind is not None:
            found.add_node_file(file.path, kind, NodeFile(text, file.modified_s))
    for broken in found.unread:
        _distrust_half_unpacked(found, broken.path)
    # A lone host name or date is no node.
    for folder in [f for f, files in found.nodes.items() if not _is_node(files)]:
        del found.nodes[folder]
    return found


def _wanted(path: PurePosixPath) -> bool:
    return (
        path.name == READING
        or node_files.kind_of(path.name) is not None
        or _object_kind(path.name) is not None
    )


def _distrust_half_unpacked(found: _Found, archive: PurePosixPath) -> None:
    """Take only what is whole from an agent's archive that is broken.

    Cilium-cli leaves it beside the folder that it could unpack some of it to, the
    last file of which may be cut off after a state.
    """
    folder = archive.with_name(_UNPACKED.sub("", archive.name))
    if folder == archive or folder not in found.nodes:
        return
    whole = [files for at, files in found.nodes.items() if archive in at.parents]
    found.nodes[folder] = whole[0] if whole else {}


def _text(content: bytes) -> str:
    """Text in UTF-8, or as PowerShell writes what it is told to put into a file."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    return content.decode(errors="replace")


def _sentence(file: UnreadFile) -> str:
    return f"{file.path} can't be read: {file.problem}."


def _folder_of(path: PurePosixPath) -> PurePosixPath:
    if is_archive_name(path.name):
        return path
    return path.parent.parent if path.parent.name == "cmd" else path.parent


def _is_a_nodes(path: PurePosixPath) -> bool:
    """Whether a node's states are, or may be, in a file."""
    if is_archive_name(path.name):
        return BUGTOOL.fullmatch(path.name) is not None
    return node_files.kind_of(path.name) == node_files.STATES


def _require_shape(kind: str, thing: Object) -> None:
    """Make sure that an object has the parts that facts are taken from.

    Raises:
        TypeError: A part is of another kind than the API gives it.
    """
    for part in ("metadata", *_PARTS_OF.get(kind, ())):
        if not isinstance(thing.get(part) or {}, Mapping):
            raise TypeError(f"{part} is no object")
    for address in (thing.get("spec") or {}).get("addresses") or ():
        if not isinstance(address, Mapping):
            raise TypeError("an address is no object")
    if kind == "pods" and is_agent(thing):
        agent_facts(thing), node_of(thing)


def _is_node(files: NodeFiles) -> bool:
    return not files.keys().isdisjoint(
        {node_files.STATES, node_files.COUNTERS, node_files.POLICIES}
    )


def _object_kind(name: str) -> str | None:
    for kind, pattern in _OBJECT_FILES.items():
        if pattern.fullmatch(name):
            return kind
    return None


def _reading(text: str) -> Mapping[str, Any]:
    """What the writer of a snapshot folder noted, as far as it has its shape."""
    try:
        value = json.loads(text)
    except (RecursionError, ValueError):
        return {}
    noted = value if isinstance(value, dict) else {}
    return {**noted, "cluster": _texts(noted.get("cluster"))}


def _objects(kind: str, text: str) -> Iterator[Object]:
    """Read a list of objects, or a single one."""
    if kind == "pods":
        yield from _agent_pods(text)
        return
    content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    if not isinstance(content, dict):
        return
    items = content.get("items")
    for item in items if isinstance(items, list) else [content]:
        if isinstance(item, dict):
            yield item


def _secret(reading: Mapping[str, Any]) -> SecretFacts | None:
    """What the writer of a snapshot folder noted about the Secret."""
    noted = reading.get("secret")
    if not isinstance(noted, dict) or not isinstance(noted.get("key_id"), int):
        return None
    changed_s = noted.get("changed_s")
    return SecretFacts(
        noted["key_id"],
        float(changed_s) if isinstance(changed_s, int | float) else None,
    )


def _agent_pods(text: str) -> Iterator[Object]:
    """Read the agents' Pods only: a large cluster's list takes minutes."""
    _, separator, body = text.partition("\nitems:\n")
    if not separator:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
        items = content.get("items") if isinstance(content, dict) else None
        listed = items if isinstance(items, list) else ()
        yield from (item for item in listed if isinstance(item, dict))
        return
    body = _TOP_LEVEL_KEY.split(body, maxsplit=1)[0]
    match = _LIST_ITEM.match(body)
    if match is None:
        return
    for item in re.split(rf"^(?={match[1]}- )", body, flags=re.MULTILINE):
        if AGENT_CONTAINER in item:
            pods = yaml.load(item, Loader=_Loader)  # noqa: S506 - a safe loader
            listed = pods if isinstance(pods, list) else ()
            yield from (pod for pod in listed if isinstance(pod, dict))


def _with_agent(node: NodeSnapshot, pods: Iterable[Object]) -> NodeSnapshot:
    for pod in pods:
        if node_of(pod) == node.name:
            facts = agent_facts(pod)
            return replace(
                node,
                agent=replace(
                    facts,
                    version=node.agent.version or facts.version,
                    keys_in_use=node.agent.keys_in_use,
                    store_trouble=node.agent.store_trouble,
                ),
            )
    return node


def _with_reading(
    node: NodeSnapshot, reading: Mapping[str, Any], *, later: bool
) -> NodeSnapshot:
    """Add what the writer of a snapshot folder noted about a node."""
    sample = reading.get("second" if later else "first")
    noted = sample.get(node.name) if isinstance(sample, dict) else None
    if not isinstance(noted, dict):
        return node
    read_s = noted.get("read_s")
    return replace(
        node,
        read_s=float(read_s) if isinstance(read_s, int | float) else None,
        unread=_texts(noted.get("unread")) or node.unread,
    )


def _texts(noted: object) -> tuple[str, ...]:
    return tuple(map(str, noted)) if isinstance(noted, list) else ()


def _unread_nodes(reading: Mapping[str, Any], sample: str) -> Iterator[NodeSnapshot]:
    """The nodes that the writer of a snapshot folder could not read."""
    noted = reading.get(sample)
    for name in noted if isinstance(noted, dict) else ():
        yield _with_reading(NodeSnapshot(name), reading, later=sample == "second")
