"""``python -m tests.docs.style [FILE|DIR...]``: check prose against the style guide.

Without arguments, all that readers of the site see. Exit status 1 when a rule is
broken.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs.style.markdown import read_markdown
from tests.docs.style.restructured import read_restructured
from tests.docs.style.rules import ROOT, breaches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docs.style.prose import Prose

EVERYTHING = ("docs", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")
READERS = {".rst": read_restructured, ".md": read_markdown}


def read(path: Path) -> Prose:
    """Read the prose of a file."""
    return READERS[path.suffix](path, path.read_text(encoding="utf-8"))


def sources(places: list[Path]) -> Iterator[Path]:
    """Find the files to check.

    Args:
        places: Files, or folders to search; built sites in them are passed over.

    Yields:
        Their paths, sorted within a folder.
    """
    for place in places:
        if place.is_file():
            yield place
            continue
        for path in sorted(place.rglob("*")):
            if path.suffix in READERS and "_build" not in path.parts:
                yield path


def main(arguments: list[str]) -> int:
    """Print every breach as FILE:LINE:COLUMN.

    Args:
        arguments: Files and folders.

    Returns:
        The exit status.
    """
    places = [Path(argument) for argument in arguments]
    places = places or [ROOT / name for name in EVERYTHING]
    count = 0
    for path in sources(places):
        shown = (
            path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        )
        for breach in breaches(read(path)):
            count += 1
            print(
                f"{shown}:{breach.line}:{breach.column}: "
                f"{breach.rule}: {breach.message}"
            )
    if count:
        noun = "breach" if count == 1 else "breaches"
        print(f"style: {count} {noun} of the style guide", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
