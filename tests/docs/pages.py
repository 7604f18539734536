"""The pages whose commands are run, and how each is parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sybil import Document

from tests.docs.shell_session import LANGUAGE, ShellSessionParser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil.typing import Evaluator

ROOT = Path(__file__).parents[2]


def pages() -> Iterator[Path]:
    """Find every page of the site.

    The README is not one of them: it starts by running these tests.

    Yields:
        Paths relative to the repository, sorted.
    """
    found: list[Path] = []
    for suffix in ("rst", "md"):
        found += (ROOT / "docs").rglob(f"*.{suffix}")
    for page in sorted(found):
        relative = page.relative_to(ROOT)
        if "_build" not in relative.parts:
            yield relative


def pages_with_sessions() -> list[Path]:
    """Find the pages that have something to run."""
    return [page for page in pages() if LANGUAGE in (ROOT / page).read_text("utf-8")]


def parse(page: Path, evaluator: Evaluator) -> Document:
    """Parse a page for its shell sessions.

    Args:
        page: Path relative to the repository.
        evaluator: Runs a block.

    Returns:
        The page, ready to be evaluated block by block.
    """
    parser = ShellSessionParser(evaluator, markdown=page.suffix == ".md")
    return Document.parse(str(ROOT / page), parser)
