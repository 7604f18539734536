"""Draw the site's pictures before pages are read.

Pages show them like any other file in ``images/``. A picture that comes out as it
was stays untouched, so that no page is built again for it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

DOCS = Path(__file__).resolve().parents[1]
IMAGES = DOCS / "images"


def draw(_app: Sphinx) -> None:
    """Draw whatever is new or has changed."""
    for name, svg in pictures().items():
        path = IMAGES / name
        if not path.is_file() or path.read_text(encoding="utf-8") != svg:
            _replace(path, svg)


def mark(_app: Sphinx, doctree: nodes.document) -> None:
    """Tell the style sheet which images are drawn in one narrow column."""
    drawn = pictures().keys()
    for image in doctree.findall(nodes.image):
        if Path(image["uri"]).name in drawn:
            image["classes"].append("drawn")


def pictures() -> dict[str, str]:
    """SVG source by file name."""
    if not _DRAWN:
        sys.path.insert(0, str(DOCS))
        from pictures.catalogue import draw_all

        _DRAWN.update(draw_all())
    return _DRAWN


_DRAWN: dict[str, str] = {}


def _replace(path: Path, text: str) -> None:
    # In one step: another build may read it meanwhile.
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False
    ) as written:
        written.write(text)
    Path(written.name).chmod(0o644)
    os.replace(written.name, path)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Draw early, and bring the style sheet."""
    app.connect("builder-inited", draw)
    app.connect("doctree-read", mark)
    app.add_css_file("pictures.css")
    return {"version": "1", "parallel_read_safe": True}
