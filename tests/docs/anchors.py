"""The addresses that the site has promised: docs/anchors.txt.

Findings, reports, tickets and other sites link to them, so none may vanish. After
adding a page or a label:

    python -m tests.docs.anchors docs/_build/html
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.util.inventory import InventoryFile

from tests.docs.checkout import ROOT

PROMISED = ROOT / "docs" / "anchors.txt"
#: Sphinx's own, which nobody links to.
OWN = {"genindex", "modindex", "search", "py-modindex"}


def named(site: Path) -> set[str]:
    """Pages and explicit labels of a built site: ``page.html`` or ``page.html#label``.

    Args:
        site: Folder of the built site.
    """
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    return {
        entry.uri.removesuffix("#")
        for kind in ("std:doc", "std:label")
        for name, entry in inventory.data.get(kind, {}).items()
        if name not in OWN
    }


def promised() -> list[str]:
    """What the list has, in its order."""
    return PROMISED.read_text("utf-8").splitlines()


if __name__ == "__main__":
    lines = sorted({*promised(), *named(Path(sys.argv[1]))})
    PROMISED.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
