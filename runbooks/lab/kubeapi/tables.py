"""Objects as tables: what ``kubectl get`` shows.

The server makes the columns (``k8s.io/kubernetes/pkg/printers/internalversion``),
and of custom resources the CustomResourceDefinition does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from runbooks.lab.kubeapi.status import JsonObject

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.resources import PrinterColumn, Resource

Cell: TypeAlias = str | int
Column: TypeAlias = tuple[str, str, int, Callable[[JsonObject], Cell]]
"""Title, type, priority (1: only with ``-o wide``), and what is in it."""

_NONE = "<none>"
_STEP = re.compile(
    r"\.(?P<name>[\w-]+)"
    r"|\[\?\(@\.(?P<field>[\w-]+)==[\"'](?P<value>[^\"']*)[\"']\)\]"
    r"|\[(?P<index>\d+)\]"
)


def age(moment: str | None, now: datetime | None = None) -> str:
    """Say how long ago something was, as ``duration.HumanDuration`` does.

    Args:
        moment: RFC 3339, UTC; ``None`` if it is not known.
        now: What to count to.
    """
    if not moment:
        return "<unknown>"
    then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    for limit, count, unit, rest, rest_unit in (
        (seconds < 120, seconds, "s", 0, ""),
        (minutes < 10, minutes, "m", seconds % 60, "s"),
        (hours < 3, minutes, "m", 0, ""),
        (hours < 8, hours, "h", minutes % 60, "m"),
        (hours < 48, hours, "h", 0, ""),
        (days < 8, days, "d", hours % 24, "h"),
    ):
        if limit:
            return f"{count}{unit}" + (f"{rest}{rest_unit}" if rest else "")
    return f"{days}d"


def _at(obj: Any, *path: str, default: Cell = _NONE) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    return default if obj in (None, "") else obj


def _by_path(obj: JsonObject, path: str) -> Any:
    found: list[Any] = [obj]
    for step in _STEP.finditer(path):
        if name := step["name"]:
            found = [v[name] for v in found if isinstance(v, dict) and name in v]
        elif key := step["field"]:
            items = [item for v in found if isinstance(v, list) for item in v]
            found = [item for item in items if item.get(key) == step["value"]]
        else:
            n = int(step["index"])
            found = [v[n] for v in found if isinstance(v, list) and len(v) > n]
    return found[0] if found else None


def _containers(pod: JsonObject) -> list[JsonObject]:
    statuses: list[JsonObject] = _at(pod, "status", "containerStatuses", default="")
    return statuses or []


def _pod_ready(pod: JsonObject) -> str:
    ready = sum(1 for status in _containers(pod) if status.get("ready"))
    return f"{ready}/{len(_at(pod, 'spec', 'containers', default='') or [])}"


def _pod_status(pod: JsonObject) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for status in _containers(pod):
        state = status.get("state") or {}
        for kind in ("waiting", "terminated"):
            if reason := (state.get(kind) or {}).get("reason"):
                return str(reason)
    return str(_at(pod, "status", "phase", default="Unknown"))


def _pod_restarts(pod: JsonObject) -> str:
    count = sum(status.get("restartCount", 0) for status in _containers(pod))
    finished = [
        _at(status, "lastState", "terminated", "finishedAt", default="")
        for status in _containers(pod)
    ]
    last = max(filter(None, finished), default="")
    return f"{count} ({age(last)} ago)" if count and last else str(count)


def _node_status(node: JsonObject) -> str:
    words = ["Unknown"]
    for condition in _at(node, "status", "conditions", default="") or []:
        if condition.get("type") == "Ready":
            words = ["Ready" if condition.get("status") == "True" else "NotReady"]
    if _at(node, "spec", "unschedulable", default="") is True:
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(node: JsonObject) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    roles = sorted(label[len(prefix) :] for label in labels if label.startswith(prefix))
    return ",".join(roles) or _NONE


def _node_address(kind: str) -> Callable[[JsonObject], Cell]:
    def cell(node: JsonObject) -> Cell:
        for address in _at(node, "status", "addresses", default="") or []:
            if address.get("type") == kind:
                return str(address["address"])
        return _NONE

    return cell


def _text(*path: str) -> Callable[[JsonObject], Cell]:
    return lambda obj: str(_at(obj, *path))


def _count(*path: str) -> Callable[[JsonObject], Cell]:
    return lambda obj: int(_at(obj, *path, default=0))


def _size(field: str) -> Callable[[JsonObject], Cell]:
    return lambda obj: len(obj.get(field) or {})


def _template(what: str) -> Callable[[JsonObject], Cell]:
    def cell(daemon_set: JsonObject) -> Cell:
        found = _at(daemon_set, "spec", "template", "spec", "containers", default="")
        return ",".join(container[what] for container in found or [])

    return cell


def _pairs(*path: str) -> Callable[[JsonObject], Cell]:
    def cell(obj: JsonObject) -> Cell:
        found = _at(obj, *path, default="") or {}
        return ",".join(f"{key}={value}" for key, value in found.items()) or _NONE

    return cell


def _condition(title: str, *path: str) -> Column:
    return (title, "string", 0, _text(*path))


_NODE_INFO = ("status", "nodeInfo")
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": (
        ("Ready", "string", 0, _pod_ready),
        ("Status", "string", 0, _pod_status),
        ("Restarts", "string", 0, _pod_restarts),
        ("Age", "string", 0, lambda obj: age(obj["metadata"]["creationTimestamp"])),
        ("IP", "string", 1, _text("status", "podIP")),
        ("Node", "string", 1, _text("spec", "nodeName")),
        ("Nominated Node", "string", 1, _text("status", "nominatedNodeName")),
        ("Readiness Gates", "string", 1, lambda _: _NONE),
    ),
    "nodes": (
        ("Status", "string", 0, _node_status),
        ("Roles", "string", 0, _node_roles),
        ("Age", "string", 0, lambda obj: age(obj["metadata"]["creationTimestamp"])),
        ("Version", "string", 0, _text(*_NODE_INFO, "kubeletVersion")),
        ("Internal-IP", "string", 1, _node_address("InternalIP")),
        ("External-IP", "string", 1, _node_address("ExternalIP")),
        ("OS-Image", "string", 1, _text(*_NODE_INFO, "osImage")),
        ("Kernel-Version", "string", 1, _text(*_NODE_INFO, "kernelVersion")),
        (
            "Container-Runtime",
            "string",
            1,
            _text(*_NODE_INFO, "containerRuntimeVersion"),
        ),
    ),
    "daemonsets.apps": (
        ("Desired", "integer", 0, _count("status", "desiredNumberScheduled")),
        ("Current", "integer", 0, _count("status", "currentNumberScheduled")),
        ("Ready", "integer", 0, _count("status", "numberReady")),
        ("Up-to-date", "integer", 0, _count("status", "updatedNumberScheduled")),
        ("Available", "integer", 0, _count("status", "numberAvailable")),
        (
            "Node Selector",
            "string",
            0,
            _pairs("spec", "template", "spec", "nodeSelector"),
        ),
        ("Age", "string", 0, lambda obj: age(obj["metadata"]["creationTimestamp"])),
        ("Containers", "string", 1, _template("name")),
        ("Images", "string", 1, _template("image")),
        ("Selector", "string", 1, _pairs("spec", "selector", "matchLabels")),
    ),
    "namespaces": (_condition("Status", "status", "phase"),),
    "secrets": (
        ("Type", "string", 0, _text("type")),
        ("Data", "integer", 0, _size("data")),
    ),
    "configmaps": (("Data", "integer", 0, _size("data")),),
    "leases.coordination.k8s.io": (_condition("Holder", "spec", "holderIdentity"),),
    "events": (
        ("Type", "string", 0, _text("type")),
        ("Reason", "string", 0, _text("reason")),
        ("Object", "string", 0, _text("involvedObject", "name")),
        ("Message", "string", 0, _text("message")),
    ),
}


def _from_definition(column: PrinterColumn) -> Column:
    def cell(obj: JsonObject) -> Cell:
        value = _by_path(obj, column.path)
        if value is None:
            return ""
        if column.kind == "date":
            return age(str(value))
        return value if isinstance(value, int) else str(value)

    kind = "string" if column.kind == "date" else column.kind
    return (column.name, kind, column.priority, cell)


def _columns(resource: Resource) -> tuple[Column, ...]:
    own = _COLUMNS.get(resource.name, ())
    own += tuple(_from_definition(column) for column in resource.columns)
    if not any(column[0] == "Age" for column in own):
        own += (
            ("Age", "string", 0, lambda obj: age(obj["metadata"]["creationTimestamp"])),
        )
    return (("Name", "string", 0, lambda obj: str(obj["metadata"]["name"])), *own)


def partial(obj: JsonObject) -> JsonObject:
    """Leave only an object's metadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def table(
    resource: Resource,
    objects: list[JsonObject],
    version: str = "",
    include: str = "Metadata",
) -> JsonObject:
    """Make the Table of some objects.

    Args:
        resource: What they are.
        objects: The objects, a row each.
        version: resourceVersion of the list.
        include: What rows carry: ``Metadata``, ``Object`` or ``None``.
    """
    columns = _columns(resource)
    rows: list[JsonObject] = []
    for obj in objects:
        row: JsonObject = {"cells": [cell(obj) for *_, cell in columns]}
        if include != "None":
            row["object"] = obj if include == "Object" else partial(obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": name,
                "type": kind,
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": priority,
            }
            for name, kind, priority, _ in columns
        ],
        "rows": rows,
    }
