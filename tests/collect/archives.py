"""A cluster's files in the shapes in which people hand them over."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import yaml
from typer.testing import CliRunner

from runbooks.cli import app

SNAPSHOTS = Path(__file__).parents[1] / "recordings" / "snapshots"
STAMP = "20261122-233413"
NODES = ("n1", "n2", "n3")
POD_IPS = {"n1": "10.20.1.5", "n2": "10.20.2.70", "n3": "10.20.3.31"}


def node_files(phase: str, node: str) -> dict[str, str]:
    folder = SNAPSHOTS / phase / node / "cmd"
    return {f"cmd/{path.name}": path.read_text() for path in folder.iterdir()}


def objects() -> dict[str, str]:
    """The YAML files of a sysdump, as far as they are read."""
    return {
        f"ciliumnodes-{STAMP}.yaml": _yaml(
            [
                {
                    "metadata": {
                        "name": node,
                        "creationTimestamp": "2026-11-20T10:00:00Z",
                    },
                    "spec": {
                        "addresses": [
                            {"type": "InternalIP", "ip": f"10.9.0.1{i}"},
                            {"type": "CiliumInternalIP", "ip": POD_IPS[node]},
                        ],
                        "bootid": _boot_id(node),
                    },
                }
                for i, node in enumerate(NODES, 1)
            ]
        ),
        f"k8s-pods-{STAMP}.yaml": _yaml([_other_pod(), *map(agent_pod, NODES)]),
        f"k8s-nodes-{STAMP}.yaml": _yaml([{"metadata": {"name": n}} for n in NODES]),
        f"cilium-configmap-{STAMP}.yaml": yaml.safe_dump(
            {
                "data": {
                    "enable-ipsec": "true",
                    "identity-allocation-mode": "kvstore",
                    "kvstore-lease-ttl": "25s",
                }
            }
        ),
    }


def agent_pod(node: str) -> dict:
    started, last = "2026-11-22T20:00:00Z", {}
    if node == "n2":
        started = "2026-11-22T23:33:49Z"
        last = {"terminated": {"finishedAt": "2026-11-22T23:32:20Z"}}
    return {
        "metadata": {
            "name": f"cilium-x{node}",
            "namespace": "kube-system",
            "labels": {"k8s-app": "cilium"},
        },
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.0"}
            ],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "cilium-agent",
                    "ready": True,
                    "restartCount": int(node == "n2"),
                    "state": {"running": {"startedAt": started}},
                    "lastState": last,
                }
            ],
        },
    }


def sysdump_files(phase: str) -> dict[str, str]:
    files = dict(objects())
    for node in NODES:
        for name, text in node_files(phase, node).items():
            files[f"cilium-bugtool-cilium-x{node}-{STAMP}/{name}"] = text
    return {f"cilium-sysdump-{STAMP}/{name}": text for name, text in files.items()}


def write_zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def write_tar(path: Path, files: dict[str, str], mode: str, mtime: float) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, text in files.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), mtime
            archive.addfile(info, io.BytesIO(content))
    return path


def exit_code(path: Path) -> int:
    """Of ``ipsec-runbooks check --sysdump``."""
    return CliRunner().invoke(app, ["check", "--sysdump", str(path)]).exit_code


def state_file(files: dict[str, str], node: str = "n2") -> str:
    """Name of a node's states in a sysdump."""
    (name,) = [n for n in files if f"-x{node}-" in n and n.endswith("xfrm-state.md")]
    return name


def write_members(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def _boot_id(node: str) -> str:
    name = "cmd/cat--proc-sys-kernel-random-boot_id.md"
    return node_files("healthy", node)[name].strip()


def _other_pod() -> dict:
    return {
        "metadata": {"name": "coredns", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "coredns"}]},
    }


def _yaml(items: list) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "items": items, "kind": "List"})
