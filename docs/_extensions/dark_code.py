"""The colors of code in dark mode, as a style sheet beside Sphinx's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pygments.formatters import HtmlFormatter

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

SHEET = "pygments-dark.css"
DARK = ':root[data-theme="dark"]'


def style_sheet(style: str) -> str:
    """The rules of a Pygments style, for a dark screen only.

    Args:
        style: Name of the style.
    """
    formatter = HtmlFormatter(style=style)
    rules = formatter.get_style_defs(f"{DARK} .highlight").splitlines()
    return "\n".join(
        ["@media screen {", *(line for line in rules if line.startswith(DARK)), "}", ""]
    )


def write(app: Sphinx) -> None:
    """Write the style sheet where the pages look for it."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir, "_static")
    folder.mkdir(parents=True, exist_ok=True)
    sheet = style_sheet(app.config.dark_code_style)
    Path(folder, SHEET).write_text(sheet, encoding="utf-8")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_config_value("dark_code_style", "github-dark", "html", str)
    app.add_css_file(SHEET)
    app.connect("builder-inited", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
