"""The wheel carries the built site, and shows it without a network or a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docs.checkout import ROOT

#: What a build of the package reads, apart from the site.
SOURCES = ("LICENSE", "README.md", "hatch_build.py", "playbooks", "pyproject.toml")
LARGEST_WHEEL = 8e6


def build(checkout: Path) -> tuple[Path, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    (wheel,) = (checkout / "dist").iterdir()
    return wheel, done.stdout + done.stderr


def lay_out(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    skipped = shutil.ignore_patterns("__pycache__", ".ansible")
    for name in (*SOURCES, "runbooks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=skipped)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``ipsec-runbooks`` of an unpacked wheel."""
    return subprocess.run(
        [sys.executable, "-m", "runbooks", *arguments],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(site, tmp_path_factory):
    checkout = lay_out(tmp_path_factory.mktemp("checkout"))
    shutil.copytree(site, checkout / "docs" / "_build" / "html")
    return build(checkout)[0]


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_page_and_its_source_is_in_the_wheel(site, installed):
    def pages(folder, suffix):
        return {p.relative_to(folder) for p in folder.rglob(f"*{suffix}")}

    assert pages(installed / "runbooks" / "_site", ".html") == pages(site, ".html")
    sources = pages(installed / "runbooks" / "_site" / "_sources", ".txt")
    assert sources == pages(site / "_sources", ".txt") != set()


def test_fonts_that_the_styles_name_are_there_and_no_others(installed):
    static = installed / "runbooks" / "_site" / "_static"
    styles = "".join(path.read_text("utf-8") for path in static.rglob("*.css"))
    fonts = [path for path in static.rglob("*.*") if "fonts" in path.parts]
    assert fonts
    assert {font.suffix for font in fonts} == {".woff2"}
    assert [font.name for font in fonts if font.name not in styles] == []


def test_wheel_stays_small(wheel):
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_page_of_a_report_opens_from_the_installed_package(installed):
    done = run(
        installed, "docs", "open", "--print-path", "docs/runbooks/kvstore-lease-expired"
    )
    assert (done.returncode, done.stderr) == (0, "")
    path = Path(done.stdout.removesuffix("\n"))
    assert path.is_relative_to(installed / "runbooks" / "_site")
    assert "Key-value store lease expired" in path.read_text("utf-8")


def test_wheel_without_a_site_is_built_with_a_warning_and_says_so(tmp_path):
    checkout = lay_out(tmp_path)
    wheel, output = build(checkout)
    assert "run `make docs` first, or `make wheel`" in output
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    done = run(tmp_path / "installed", "docs", "open")
    assert (done.returncode, done.stdout) == (2, "")
    assert "came without its pages" in done.stderr
    assert "Traceback" not in done.stderr
