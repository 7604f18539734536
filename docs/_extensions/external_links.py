"""Which addresses elsewhere the pages link to, in a file beside the built pages.

``python docs/_extensions/external_links.py LIST`` says whether any of their hosts
can be reached from here: exit status 0, or 77 when none can.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

#: Name of the list below the folder of the built site.
LIST_NAME = "external-links.txt"
#: Exit status of what could not be done here, as Automake has it.
SKIPPED = 77
_PATIENCE_S = 5.0


def links_by_page(env: BuildEnvironment) -> dict[str, set[str]]:
    """Give what was collected, by page; kept between builds."""
    if not hasattr(env, "external_links"):
        env.external_links = {}  # type: ignore[attr-defined]
    found: dict[str, set[str]] = env.external_links
    return found


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Note the addresses of a page that was read.

    Args:
        app: Sphinx.
        doctree: The page.
    """
    from docutils import nodes

    addresses = {
        node["refuri"]
        for node in doctree.findall(nodes.reference)
        if urlsplit(node.get("refuri", "")).scheme in {"http", "https"}
    }
    links_by_page(app.env)[app.env.docname] = addresses


def forget(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what is known of a page that is read anew, or gone."""
    links_by_page(env).pop(docname, None)


def merge(
    _app: Sphinx,
    env: BuildEnvironment,
    docnames: Iterable[str],
    other: BuildEnvironment,
) -> None:
    """Take over what a parallel reader collected."""
    for docname in docnames:
        links_by_page(env)[docname] = links_by_page(other).get(docname, set())


def write_list(app: Sphinx, exception: Exception | None) -> None:
    """Write every address with the pages that have it.

    Args:
        app: Sphinx, after a build.
        exception: What ended the build early, if anything.
    """
    if exception is not None or app.builder.name != "html":
        return
    pages: dict[str, list[str]] = {}
    for docname, addresses in sorted(links_by_page(app.env).items()):
        for address in addresses:
            pages.setdefault(address, []).append(docname)
    lines = [f"{address}\t{', '.join(names)}\n" for address, names in pages.items()]
    Path(app.outdir, LIST_NAME).write_text("".join(sorted(lines)), encoding="utf-8")


def hosts(listed: str) -> list[str]:
    """Give the scheme and host of every address of a list, each once, sorted."""
    addresses = (line.split("\t")[0] for line in listed.splitlines())
    return sorted(
        {f"{parts.scheme}://{parts.netloc}/" for parts in map(urlsplit, addresses)}
    )


def answers(host: str) -> bool:
    """Tell whether a host answers at all, whatever it says.

    Args:
        host: Scheme and host.
    """
    import requests

    try:
        requests.head(host, timeout=_PATIENCE_S)
    except requests.RequestException:
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    """Say whether the links of a list can be checked from here.

    Args:
        arguments: The list's path.

    Returns:
        The exit status.
    """
    listed = Path(arguments[0]).read_text(encoding="utf-8")
    wanted = hosts(listed)
    count = len(listed.splitlines())
    with ThreadPoolExecutor(max_workers=8) as pool:
        reachable = sum(pool.map(answers, wanted))
    print(
        f"links: {count} addresses on {len(wanted)} hosts, {reachable} of which answer"
    )
    if reachable or not wanted:
        return 0
    print(
        f"links: SKIPPED, none was checked: no host answered in {_PATIENCE_S:.0f} s, so"
        " this machine has no way to them. Run it again where there is one.",
        file=sys.stderr,
    )
    return SKIPPED


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the collector with Sphinx."""
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("build-finished", write_list)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
