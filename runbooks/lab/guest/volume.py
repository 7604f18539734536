"""A projected volume, swapped the way kubelet's atomic writer does it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def write_volume(path: Path, files: dict[str, str]) -> None:
    """Replace the files of a volume in one rename.

    ``<path>/<file>`` is a link to ``..data/<file>``, and ``..data`` a link to
    the newest dated folder: readers see all of the old or all of the new
    (kubernetes pkg/volume/util/atomic_writer.go).

    Args:
        path: The volume's mount point.
        files: Content by file name.
    """
    path.mkdir(parents=True, exist_ok=True)
    current = path / "..data"
    old = current.resolve() if current.is_symlink() else None
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=path))
    fresh.chmod(0o755)
    for name, content in files.items():
        target = fresh / name
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
    staged = path / "..data_tmp"
    staged.unlink(missing_ok=True)
    staged.symlink_to(fresh.name)
    staged.rename(current)
    for name in files:
        if not (path / name).is_symlink():
            (path / name).symlink_to(f"..data/{name}")
    for link in path.iterdir():
        if not link.name.startswith("..") and link.name not in files:
            link.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
