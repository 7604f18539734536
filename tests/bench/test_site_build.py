"""How long the site takes to build, and how much a reader loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from tests.docs.checkout import ROOT
from tests.docs.site_size import LARGEST_PAGE, page_sizes
from tests.docs.test_wheel import build as build_wheel
from tests.docs.test_wheel import lay_out
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
COLD_S, INCREMENTAL_S = 20.0, 3.0


def build(builder, sources, work):
    began = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
            *("-b", builder, "-d", str(work / "doctrees"), "-c", str(sources.parent)),
            *(str(sources), str(work / builder)),
        ],
        check=True,
    )
    return time.monotonic() - began


def kilobytes(size):
    return f"{size / 1000:.0f} kB"


@pytest.fixture
def sources(tmp_path):
    """The pages of a checkout that can be written to."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, checkout)
        elif path.name not in {".git", ".venv", "docs"}:
            (checkout / path.name).symlink_to(path)
    docs = checkout / "docs"
    shutil.copytree(ROOT / "docs", docs, ignore=shutil.ignore_patterns("_build"))
    return docs


def test_build(sources, tmp_path):
    page = sources / "runbooks" / "kvstore-lease-expired.rst"
    times: dict[str, list[float]] = {
        name: [] for name in ("cold", "incremental", "singlehtml", "epub", "spelling")
    }
    for _ in range(ROUNDS):
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        times["cold"].append(build("html", sources, work))
        page.write_text(page.read_text("utf-8") + "\nOne more line.\n", "utf-8")
        times["incremental"].append(build("html", sources, work))
        for builder in ("singlehtml", "epub", "spelling"):
            times[builder].append(build(builder, sources, work))
    sizes = page_sizes(work / "html")
    largest = max(sizes, key=lambda name: sizes[name].sent)
    longest = max(sizes, key=lambda name: sizes[name].document)
    checkout = lay_out(tmp_path / "package")
    shutil.copytree(work / "html", checkout / "docs" / "_build" / "html")
    began = time.monotonic()
    wheel = build_wheel(checkout)[0]
    wheel_s = time.monotonic() - began
    write_table(
        "site",
        "Building the pages",
        f"``make bench``: {ROUNDS} builds of the {len(sizes)} pages by Sphinx in one\n"
        "process, each from nothing, then after one page has changed, then in the\n"
        "other forms, which read nothing anew. Sizes are without fonts. What a first\n"
        "visit loads is measured as servers send it: text packed by gzip.",
        ("What", "Median (range)", "Target"),
        [
            ("HTML, cold", spread(times["cold"]), f"{COLD_S:.0f} s"),
            (
                "HTML, after a change to one page",
                spread(times["incremental"]),
                f"{INCREMENTAL_S:.0f} s",
            ),
            ("One page", spread(times["singlehtml"]), ""),
            ("EPUB", spread(times["epub"]), ""),
            ("Spelling", spread(times["spelling"]), ""),
            (
                f"First visit of the largest page, ``{largest}``",
                f"{kilobytes(sizes[largest].sent)}, unpacked "
                f"{kilobytes(sizes[largest].unpacked)}",
                kilobytes(LARGEST_PAGE),
            ),
            (
                f"Longest page, ``{longest}``, alone and unpacked",
                kilobytes(sizes[longest].document),
                kilobytes(LARGEST_PAGE),
            ),
            ("Wheel with the pages: time", spread([wheel_s]), ""),
            ("Wheel with the pages: size", f"{wheel.stat().st_size / 1e6:.2f} MB", ""),
        ],
    )
    assert min(times["cold"]) <= COLD_S
    assert min(times["incremental"]) <= INCREMENTAL_S
