"""Puts the built site into the package, where ``ipsec-runbooks docs`` finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SITE = Path("docs", "_build", "html")
#: Every browser of the last ten years reads woff2; the others are 8 MB.
OTHER_FONTS = {".eot", ".svg", ".ttf", ".woff"}


class SiteHook(BuildHookInterface):
    """Adds what ``make docs`` left in docs/_build/html, if anything."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include.

        Args:
            version: Kind of build: ``standard``, or ``editable``, which has none.
            build_data: What hatchling packs; changed in place.
        """
        if version == "editable":
            return
        site = Path(self.root) / SITE
        if not (site / "index.html").is_file():
            self.app.display_warning(
                "The package gets no pages: run `make docs` first, or `make wheel`."
            )
            return
        styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
        wheel = self.target_name == "wheel"
        place = "runbooks/_site" if wheel else SITE.as_posix()
        for path in sorted(site.rglob("*")):
            below = path.relative_to(site)
            unused = path.suffix in OTHER_FONTS or (
                path.suffix == ".woff2" and "/".join(below.parts[-2:]) not in styles
            )
            if "fonts" in below.parts and unused:
                continue
            if path.is_file() and below.name != ".buildinfo":
                target = f"{place}/{below.as_posix()}"
                build_data["force_include"][str(path)] = target
