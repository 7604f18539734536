"""``sitemap.xml``: the address of every page, for search engines.

Made only when ``html_baseurl`` says where the site is published.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def site_map(addresses: Iterable[str]) -> bytes:
    """Write a site map, as sitemaps.org has it.

    Args:
        addresses: Of the pages.
    """
    root = ET.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
    for address in sorted(addresses):
        ET.SubElement(ET.SubElement(root, "url"), "loc").text = address
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the site map when all pages are there."""
    base = app.config.html_baseurl
    if error is not None or not base or app.builder.name != "html":
        return
    pages = app.env.found_docs
    made = site_map(base + app.builder.get_target_uri(page) for page in pages)
    Path(app.outdir, "sitemap.xml").write_bytes(made)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
