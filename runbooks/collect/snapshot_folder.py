"""Writing a snapshot folder: one folder per node, files as cilium-bugtool's.

The cluster's objects lie beside the nodes under the names that cilium sysdump
gives them. A second sample lies in a folder of its own below each node.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from runbooks.collect.archived_snapshot import READING, SECOND_SAMPLE
from runbooks.collect.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runbooks.collect.agents import NodeAnswer
    from runbooks.collect.cluster import Recording
    from runbooks.collect.objects import Object

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_snapshot(recording: Recording, folder: Path) -> None:
    """Write a recording of a cluster.

    Args:
        recording: What was read.
        folder: Where to; made if need be, and empty.

    Raises:
        UsageError: The folder isn't empty or can't be written.
    """
    require_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, answer in recording.first.items():
            _write_node(folder / name, answer)
        for name, answer in recording.second.items():
            _write_node(folder / name / SECOND_SAMPLE, answer)
        _write_objects(folder, recording)
        secret = recording.objects.secret
        reading = {
            "cluster": recording.objects.unread,
            "secret": asdict(secret) if secret else None,
            "first": _reading(recording.first),
            "second": _reading(recording.second),
        }
        (folder / READING).write_text(json.dumps(reading, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"The snapshot can't be written: {error}.") from None


def require_empty(folder: Path) -> None:
    """Refuse a folder that holds something: two snapshots would mix.

    Raises:
        UsageError: The folder isn't empty, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"The folder {folder} isn't empty; give a new one.")


def _write_node(folder: Path, answer: NodeAnswer) -> None:
    if not answer.files:
        return
    commands = folder / "cmd"
    commands.mkdir(parents=True)
    for name, file in answer.files.items():
        (commands / f"{name}.md").write_text(file.text)


def _write_objects(folder: Path, recording: Recording) -> None:
    objects = recording.objects
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    pods = [_pod(pod) for pod in objects.pods]
    for name, items in (
        ("ciliumnodes", objects.cilium_nodes),
        ("k8s-nodes", [_node(node) for node in objects.nodes]),
        ("k8s-pods", pods),
    ):
        if items:
            listed = {"items": [_without_managers(item) for item in items]}
            _write_yaml(folder / f"{name}-{stamp}.yaml", listed)
    for name, thing in (
        ("cilium-configmap", objects.config_map),
        ("cilium-daemonset", objects.daemonset),
    ):
        if thing is not None:
            _write_yaml(folder / f"{name}-{stamp}.yaml", _without_managers(thing))

    if objects.store is not None:
        store = json.dumps(objects.store, indent=2) + "\n"
        (folder / f"cilium-kvstore-nodes-{stamp}.json").write_text(store)


def _write_yaml(path: Path, content: object) -> None:
    path.write_text(yaml.dump(content, Dumper=_Dumper, sort_keys=False))


def _without_managers(thing: Object) -> dict[str, Any]:
    metadata = {
        key: value
        for key, value in (thing.get("metadata") or {}).items()
        if key not in {"managedFields", "annotations"}
    }
    return {**thing, "metadata": metadata}


def _pod(pod: Object) -> dict[str, Any]:
    """What the check needs of a Pod; its environment is nobody's business."""
    spec = pod.get("spec") or {}
    return {
        "metadata": pod.get("metadata") or {},
        "spec": {
            "nodeName": spec.get("nodeName"),
            "containers": [
                _only(container, ("name", "image"))
                for container in spec.get("containers") or ()
            ],
        },
        "status": _only(pod.get("status") or {}, ("phase", "containerStatuses")),
    }


def _node(node: Object) -> dict[str, Any]:
    status = _only(node.get("status") or {}, ("addresses", "nodeInfo"))
    return {"metadata": node.get("metadata") or {}, "status": status}


def _only(thing: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: thing[key] for key in keys if key in thing}


def _reading(answers: Mapping[str, NodeAnswer]) -> dict[str, dict[str, Any]]:
    return {
        name: {"read_s": answer.node.read_s, "unread": answer.node.unread}
        for name, answer in answers.items()
    }
