"""Versions of the site side by side, and the menu that leads from one to another.

Every built site carries ``_static/versions.js``, which at first knows only itself.
``python docs/_extensions/site_versions.py PUBLISHED BUILT NAME`` puts a built site
into the folder ``NAME`` of the published ones, and tells all of them of it. The
menu needs no other host and no server: it works from files.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_LIST = Path("_static", "versions.js")
_LOST = "404.html"
_VARIABLE = "window.siteVersions = "
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOME = """\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={folder}/index.html">
<title>Cilium IPsec runbooks</title>
<a href="{folder}/index.html">Cilium IPsec runbooks</a>
</html>
"""


def write_list(site: Path, current: str, versions: Sequence[dict[str, Any]]) -> None:
    """Tell a site which versions there are.

    Args:
        site: Its folder.
        current: Which of them it is.
        versions: ``name``, which is also the folder, and ``pages`` of each.
    """
    known = json.dumps({"current": current, "versions": list(versions)}, sort_keys=True)
    path = site / _LIST
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{_VARIABLE}{known};\n", encoding="utf-8")


def pages_of(site: Path) -> list[str]:
    """List the pages of a built site by their paths, sorted."""
    return sorted(
        page.relative_to(site).as_posix()
        for page in site.rglob("*.html")
        if not page.relative_to(site).parts[0].startswith("_")
    )


def menu_order(name: str) -> tuple[int, Version, str]:
    """Sort key; in reverse: what is being worked on, then releases from the newest."""
    try:
        return 0, Version(name), ""
    except InvalidVersion:
        return 1, Version("0"), name


def add(published: Path, built: Path, name: str) -> list[str]:
    """Put a built site beside those that are published, and make them know it.

    Args:
        published: Folder of all versions; made if it is missing.
        built: Folder of the built site.
        name: Of its version: ``latest``, or a release. Replaced if it is there.

    Returns:
        The names of all versions, in the order of the menu.

    Raises:
        ValueError: ``name`` is no name for a folder, or ``built`` is no site.
    """
    if not _FOLDER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be the name of a folder")
    if not (built / _LIST).is_file():
        raise ValueError(f"{built} is no built site: it has no {_LIST}")
    shutil.rmtree(published / name, ignore_errors=True)
    shutil.copytree(built, published / name)
    sites = [path.parent.parent for path in published.glob(f"*/{_LIST}")]
    names = sorted((site.name for site in sites), key=menu_order, reverse=True)
    versions = [{"name": n, "pages": pages_of(published / n)} for n in names]
    for site in sites:
        write_list(site, site.name, versions)
    listed = json.dumps(versions, indent=1) + "\n"
    (published / "versions.json").write_text(listed, encoding="utf-8")
    releases = [n for n in names if menu_order(n)[0] == 0]
    first = (releases or names)[0]
    home = _HOME.format(folder=first)
    (published / "index.html").write_text(home, encoding="utf-8")
    if (published / first / _LOST).is_file():
        # A host of static pages has one page for all addresses that lead nowhere.
        shutil.copy(published / first / _LOST, published / _LOST)
    # GitHub Pages leaves out folders that begin with an underscore otherwise.
    (published / ".nojekyll").touch()
    return names


def add_menu(app: Sphinx) -> None:
    """Load the menu in every page that a browser shows."""
    if app.builder.name in {"html", "dirhtml", "singlehtml"}:
        app.add_js_file(_LIST.name)
        app.add_js_file("version-menu.js")
        app.add_css_file("version-menu.css")


def write_own_list(app: Sphinx, exception: Exception | None) -> None:
    """Let a site that was built know itself."""
    if exception is None and app.builder.name in {"html", "dirhtml", "singlehtml"}:
        write_list(Path(app.outdir), app.config.release, [])


def main(arguments: Sequence[str]) -> int:
    """Publish a version into a folder; see the module's own words.

    Args:
        arguments: Of the command line.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description="Put a built site beside the others.")
    parser.add_argument("published", type=Path, help="folder of all versions")
    parser.add_argument("built", type=Path, help="folder of the built site")
    parser.add_argument("name", help="of the version: latest, or a release")
    given = parser.parse_args(arguments)
    try:
        names = add(given.published, given.built, given.name)
    except (OSError, ValueError) as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    print(f"site: {given.published} has {', '.join(names)}")
    return 0


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the menu with Sphinx."""
    app.connect("builder-inited", add_menu)
    app.connect("build-finished", write_own_list)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
