"""Make the archives that the page about sysdumps reads, from the recordings.

Run ``python -m tests.docs.make_sysdumps``; a test says when it is time to. The
kernels' dumps are those of real nodes, keys hashed; the cluster's objects beside them
are written to fit.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from tests.collect.archives import sysdump_files
from tests.docs.checkout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs" / "runbooks" / "sysdump"
#: Phase of the recording by the archive's name.
ARCHIVES = {"before-rotation.zip": "broken", "after-rotation.zip": "healed"}


def write_archive(path: Path, phase: str) -> None:
    """Write one archive, the same bytes each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(sysdump_files(phase).items()):
            archive.writestr(_without_time(name), text)


def _without_time(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, phase in ARCHIVES.items():
        write_archive(FOLDER / name, phase)


if __name__ == "__main__":
    main()
