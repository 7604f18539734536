"""The record of which pages were run, when, and how long it took.

The site shows it in each page's foot.
"""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbooks.pages.run import PageRun
    from runbooks.pages.source import Page


def record(page: Page, run: PageRun, path: Path) -> None:
    """Write down that a page was run and was as it says.

    Args:
        page: The page.
        run: What became of it.
        path: JSON file of all pages; made if it is missing.

    Raises:
        ValueError: The run found a problem.
    """
    if run.problem is not None:
        raise ValueError(f"{page.name} was not as it says: {run.problem}")
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "version": running_version(),
        "blocks": run.tally.blocks,
        "commands": run.tally.commands,
        "duration_s": round(run.duration_s, 1),
        "blocks_not_run": [
            {"line": line, "reason": reason} for line, reason in run.tally.skipped
        ],
        "source_sha256": hashlib.sha256(page.path.read_bytes()).hexdigest(),
    }
    # Pages are run by several processes at once.
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = json.loads(path.read_text("utf-8")) if path.exists() else {}
        content = {
            "version": entry["version"],
            "pages": dict(sorted({**there.get("pages", {}), page.name: entry}.items())),
        }
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)


def running_version() -> str:
    """The package's version; in a checkout with the commit: ``0.1.0+g1234567``."""
    installed = version("cilium-ipsec-runbooks")
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return installed
    asked = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    commit = asked.stdout.strip()
    return f"{installed}+g{commit}" if commit else installed
