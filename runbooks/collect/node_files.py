"""One node's files, under the names that cilium-bugtool gives them.

A file is named after its command, with every slash and space turned into ``-``.
The same text comes from an archive, a snapshot folder, or an agent's answer.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from runbooks.snapshot import AgentFacts, NodeSnapshot
from runbooks.xfrm.model import Direction, XfrmState
from runbooks.xfrm.stat import XfrmStatError, parse_xfrm_stat
from runbooks.xfrm.text import XfrmTextError, parse_policy_text, parse_state_text

T = TypeVar("T")

STATES = "ip--s-xfrm-state"
POLICIES = "ip--s-xfrm-policy"
COUNTERS = "cat--proc-net-xfrm_stat"
BOOT_ID = "cat--proc-sys-kernel-random-boot_id"
HOSTNAME = "hostname"
ADDRESSES = "ip-a"
ENCRYPT_STATUS = "cilium-dbg-encrypt-status--o-json"
VERSION = "cilium-dbg-version"
STATUS = "cilium-dbg-status"
DATE = "date"

#: Every name under which a file may come; the first is the one that is written.
NAMES: Mapping[str, tuple[str, ...]] = {
    STATES: (STATES, "ip--s--s-xfrm-state", "ip-xfrm-state"),
    POLICIES: (POLICIES, "ip-xfrm-policy"),
    COUNTERS: (COUNTERS, "cat--u--proc-net-xfrm_stat"),
    BOOT_ID: (BOOT_ID,),
    HOSTNAME: (HOSTNAME,),
    ADDRESSES: (ADDRESSES, "ip-addr"),
    ENCRYPT_STATUS: (
        ENCRYPT_STATUS,
        "cilium-dbg-encrypt-status",
        "cilium-encrypt-status",
    ),
    VERSION: (VERSION, "cilium-version"),
    STATUS: (STATUS, "cilium-dbg-status---verbose", "cilium-status---verbose"),
    "node-list": ("cilium-dbg-node-list--o-json", "cilium-node-list--o-json"),
    DATE: (DATE, "date--u", "date-+%s", "date--u-+%s"),
}
_KIND_OF = {name: kind for kind, names in NAMES.items() for name in names}

_VERSION = re.compile(r"\b(?:Daemon: |Client: )?v?(\d+\.\d+\.\d+[\w.+-]*)")
_STATUS_VERSION = re.compile(
    r"^Cilium:\s+\S+\s+v?(\d+\.\d+\.\d+[\w.+-]*)", re.MULTILINE
)
_STORE_STATUS = re.compile(r"^KVStore:\s+(\S+)[ \t]*(.*)$", re.MULTILINE)
_KEYS_IN_USE = re.compile(r"Keys in use:\s+(\d+)")
_INTERFACE = re.compile(r"^\d+:\s+([^:@\s]+)")
_INET = re.compile(r"^\s+inet6?\s+([0-9a-fA-F.:]+)(?:/\d+)?.*\bscope (\w+)")
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class NodeFile:
    """One file of a node.

    Attributes:
        text: Its content.
        modified_s: Its time by the node's clock, if the archive keeps that.
    """

    text: str = field(repr=False)
    modified_s: float | None = None


#: Files of one node by kind, a kind being the first of its `NAMES`.
NodeFiles = Mapping[str, NodeFile]


def kind_of(file_name: str) -> str | None:
    """Tell which of a node's files a name stands for.

    Args:
        file_name: Name without folders, with or without ``.md``.

    Returns:
        A key of `NAMES`, or ``None`` for a file that isn't read.
    """
    return _KIND_OF.get(file_name.removesuffix(".md").removesuffix(".txt"))


def is_better_name(kind: str, name: str, than: str) -> bool:
    """Tell which of two files to read where a node has both.

    Args:
        kind: What they are.
        name: Name of the one, without its ending.
        than: Name of the other.

    Returns:
        Whether the one comes first in `NAMES`.
    """
    names = NAMES[kind]
    return names.index(name) < names.index(than)


def read_node(name: str, files: NodeFiles) -> NodeSnapshot:
    """Read what a node's files say.

    A file that is missing or can't be parsed becomes a sentence in ``unread``.

    Args:
        name: Name of the node.
        files: Its files.

    Returns:
        The node's part of a snapshot.
    """
    unread: list[str] = []

    def parsed(kind: str, what: str, parse: Callable[[str], T]) -> T | None:
        if kind not in files:
            unread.append(f"{name}: {what} were not read ({kind} is missing).")
            return None
        try:
            return parse(files[kind].text)
        except (XfrmTextError, XfrmStatError) as error:
            unread.append(f"{name}: {what} can't be read from {kind}: {error}.")
            return None

    states = parsed(STATES, "its XFRM states", _states)
    policies = (
        parsed(POLICIES, "its XFRM policies", parse_policy_text)
        if POLICIES in files
        else None
    )
    counters = parsed(COUNTERS, "its XFRM error counters", parse_xfrm_stat)
    cilium_ips, node_ips = _addresses(files, states or ())
    return NodeSnapshot(
        name=name,
        states=None if states is None else tuple(states),
        policies=None if policies is None else tuple(policies),
        counters=counters,
        boot_id=_first_line(files, BOOT_ID),
        internal_ips=tuple(node_ips),
        cilium_internal_ips=tuple(cilium_ips),
        agent=AgentFacts(
            version=_version(files),
            keys_in_use=_keys_in_use(files),
            store_trouble=_store_trouble(files),
        ),
        clock_s=_clock_s(files),
        unread=tuple(unread),
    )


def _states(text: str) -> list[XfrmState]:
    return parse_state_text(text)


def unwrapped(text: str) -> str:
    """Take off cilium-bugtool's Markdown, if there is any."""
    if "```" not in text:
        return text
    _, _, rest = text.partition("```")
    body, _, after = rest.partition("```")
    return body.removeprefix("\n") + after.removeprefix("\n")


def _first_line(files: NodeFiles, kind: str) -> str | None:
    if kind not in files:
        return None
    lines = unwrapped(files[kind].text).strip().splitlines()
    return lines[0].strip() if lines and not lines[0].startswith(">") else None


def boot_id(files: NodeFiles) -> str | None:
    """The boot ID of the node's kernel."""
    return _first_line(files, BOOT_ID)


def hostname(files: NodeFiles) -> str | None:
    """The node's own name for itself."""
    return _first_line(files, HOSTNAME)


def _version(files: NodeFiles) -> str | None:
    if VERSION in files:
        text = unwrapped(files[VERSION].text)
        daemon = [line for line in text.splitlines() if line.startswith("Daemon:")]
        match = _VERSION.search(daemon[0] if daemon else text)
        if match:
            return match[1]
    if STATUS in files:
        match = _STATUS_VERSION.search(unwrapped(files[STATUS].text))
        if match:
            return match[1]
    return None


def _keys_in_use(files: NodeFiles) -> int | None:
    if ENCRYPT_STATUS not in files:
        return None
    text = unwrapped(files[ENCRYPT_STATUS].text)
    if match := _KEYS_IN_USE.search(text):
        return int(match[1])
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        keys = json.loads(text).get("ipsec", {}).get("keys-in-use")
        return keys if isinstance(keys, int) else None
    return None


def _store_trouble(files: NodeFiles) -> str | None:
    """What the agent says of a key-value store that is not well."""
    if STATUS not in files:
        return None
    match = _STORE_STATUS.search(unwrapped(files[STATUS].text))
    # "Disabled" is what agents say that were started without a store.
    if match is None or match[1].lower() in {"ok", "disabled"}:
        return None
    return " ".join(f"{match[1]}: {match[2]}".split())[:200].rstrip(":. ")


def _addresses(
    files: NodeFiles, states: Collection[XfrmState]
) -> tuple[list[str], list[str]]:
    """Addresses of ``cilium_host``, and those of the node's other interfaces.

    Only what its own states use counts: an interface may carry addresses that
    other nodes have as well.
    """
    if ADDRESSES not in files:
        return [], []
    own = {
        state.destination if state.direction is Direction.IN else state.source
        for state in states
        if state.direction is not None
    }
    return addresses_among(files, own)


def addresses_among(
    files: NodeFiles, own: Collection[str]
) -> tuple[list[str], list[str]]:
    """Addresses of ``cilium_host``, and those of other interfaces.

    Args:
        files: The node's files.
        own: The addresses that the node's own states have; others don't count.
    """
    cilium: list[str] = []
    node: list[str] = []
    interface = ""
    text = files[ADDRESSES].text if ADDRESSES in files else ""
    for line in unwrapped(text).splitlines():
        if match := _INTERFACE.match(line):
            interface = match[1]
        elif (match := _INET.match(line)) and match[2] == "global":
            if interface == "cilium_host":
                cilium.append(match[1])
            elif match[1] in own:
                node.append(match[1])
    return cilium, node


def local_node_name(files: NodeFiles) -> str | None:
    """The name that the agent's node list gives to the node itself."""
    for entry in node_list(files):
        if entry.get("source") == "local":
            name = entry.get("name")
            return str(name).rpartition("/")[2] if name else None
    return None


def node_list(files: NodeFiles) -> list[dict[str, Any]]:
    """The nodes that the agent knows, as the API's ``NodeElement``."""
    if "node-list" not in files:
        return []
    try:
        entries = json.loads(unwrapped(files["node-list"].text))
    except (RecursionError, ValueError):
        return []
    listed = entries if isinstance(entries, list) else []
    return [entry for entry in listed if isinstance(entry, dict)]


def _clock_s(files: NodeFiles) -> float | None:
    """When the states were read, on the node's clock."""
    stamp = _first_line(files, DATE)
    if stamp:
        if _SECONDS.fullmatch(stamp):
            return float(stamp)
        with contextlib.suppress(ValueError):
            moment = datetime.fromisoformat(stamp)
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return files[STATES].modified_s if STATES in files else None


def facts_beside_states(files: NodeFiles) -> NodeSnapshot:
    """What a node's files say besides its states, counters and addresses."""
    return NodeSnapshot(
        name="",
        boot_id=_first_line(files, BOOT_ID),
        agent=AgentFacts(
            version=_version(files),
            keys_in_use=_keys_in_use(files),
            store_trouble=_store_trouble(files),
        ),
        clock_s=_clock_s(files),
    )
