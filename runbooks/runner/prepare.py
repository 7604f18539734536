"""A folder from which ``ansible-runner transmit`` can send the rotation."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.runner.playbooks import ROTATE, playbooks_folder
from runbooks.runner.rotate import INVENTORY

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.runner.options import RotateOptions

#: Set by ansible-runner where the playbook runs; what is there comes back.
RETURNED = "{{ lookup('ansible.builtin.env', 'AWX_ISOLATED_DATA_DIR') }}"


def prepare(options: RotateOptions, folder: Path) -> str:
    """Write ansible-runner's private data directory for a run elsewhere.

    Paths in the options are those of the machine where the worker runs, and so
    are the kubeconfig and the packages: only the playbook, its variables and
    what comes back travel.

    Args:
        options: What the operator asked for.
        folder: Folder to make; new or empty.

    Returns:
        The command that starts the run.

    Raises:
        OSError: If the folder can't be written, or is not empty.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    playbooks = playbooks_folder()
    leave = shutil.ignore_patterns("__pycache__", ".ansible")
    shutil.copytree(playbooks, folder / "project", ignore=leave)
    (folder / "inventory").mkdir()
    shutil.copy(playbooks / INVENTORY, folder / "inventory")
    away = replace(options, report_dir=options.report_dir or RETURNED, inventory=None)
    if options.inventory is not None:
        _copy(options.inventory, folder / "inventory")
    environment = folder / "env"
    environment.mkdir()
    (environment / "cmdline").write_text(shlex.join(away.arguments()) + "\n")
    (environment / "settings").write_text(json.dumps({"pexpect_timeout": 1}) + "\n")
    return (
        f"ansible-runner transmit {shlex.quote(str(folder))} -p {ROTATE}"
        " | ansible-runner worker"
        f" | ansible-runner process {shlex.quote(str(folder))}"
    )


def _copy(inventory: Path, folder: Path) -> None:
    """Put an inventory beside that of localhost: ansible-runner reads the folder."""
    if inventory.is_dir():
        shutil.copytree(inventory, folder, dirs_exist_ok=True)
    else:
        shutil.copy(inventory, folder)
