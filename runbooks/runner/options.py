"""What the operator asked for, as Ansible's command line has it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runbooks.rotation.objects import Target


@dataclass(frozen=True, slots=True)
class RotateOptions:
    """Options of ``ipsec-runbooks rotate``.

    Attributes:
        kubeconfig: Path, or ``None`` for KUBECONFIG and ``~/.kube/config``.
        context: Context of the kubeconfig, or ``None`` for the current one.
        namespace: Namespace of Cilium, or ``None`` for the role's default.
        report_dir: Folder of the report.
        inventory: Inventory with a host for every node, for keys as files.
        check: Only say what would be done.
        extra_vars: Values of ``-e``, as for ``ansible-playbook``.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    report_dir: str | None = None
    inventory: Path | None = None
    check: bool = False
    extra_vars: tuple[str, ...] = ()

    def variables(self) -> dict[str, str]:
        """The role's variables that have an option of their own."""
        given = {
            "ipsec_kubeconfig": str(self.kubeconfig) if self.kubeconfig else None,
            "ipsec_context": self.context,
            "ipsec_namespace": self.namespace,
            "rotation_report_dir": self.report_dir,
        }
        return {name: value for name, value in given.items() if value}

    def arguments(self) -> list[str]:
        """Arguments of ``ansible-playbook``; those of ``-e`` come last and win."""
        extra = [json.dumps(self.variables()), *map(_absolute, self.extra_vars)]
        arguments = [word for value in extra for word in ("--extra-vars", value)]
        # Beside the one of the playbooks, which has localhost.
        hosts = ["--inventory", str(self.inventory)] if self.inventory else []
        return [*hosts, *arguments, *(["--check"] if self.check else [])]

    def targets(self) -> tuple[Target, ...]:
        """The clusters and Secrets that the playbook works on."""
        known: dict[str, Any] = dict(self.variables())
        for value in self.extra_vars:
            known |= _parsed(value)
        contexts = known.get("rotation_contexts") or [known.get("ipsec_context")]
        if isinstance(contexts, str):
            contexts = [name.strip() for name in contexts.split(",")]
        return tuple(
            Target(
                namespace=known.get("ipsec_namespace", "kube-system"),
                secret_name=known.get("rotation_secret_name", "cilium-ipsec-keys"),
                kubeconfig=known.get("ipsec_kubeconfig") or None,
                context=context or None,
                key_files=known.get("key_distribution") == "files",
            )
            for context in contexts
        )


def _absolute(value: str) -> str:
    """A value of ``-e`` that means the same from another folder."""
    return f"@{Path(value[1:]).absolute()}" if value.startswith("@") else value


def _parsed(value: str) -> dict[str, Any]:
    """Read a value of ``-e`` as far as it is plain; Ansible reads it for good."""
    try:
        if value.startswith("@"):
            found = yaml.safe_load(Path(value[1:]).read_text())
        elif value.startswith(("{", "[")):
            found = yaml.safe_load(value)
        else:
            found = dict(w.split("=", 1) for w in shlex.split(value) if "=" in w)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return dict(found) if isinstance(found, Mapping) else {}
