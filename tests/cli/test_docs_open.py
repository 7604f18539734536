"""``ipsec-runbooks docs open`` with a browser, without one, and over HTTP."""

import os
import re
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from runbooks.cli import app
from runbooks.pages import site as pages_site

#: The command line in a process of its own, on the site that its first argument names.
COMMAND = """
import signal, sys
from pathlib import Path
from runbooks.cli import main
from runbooks.pages import site
folder = Path(sys.argv.pop(1))
site.site_folder = lambda: folder
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
BROWSER = '#!/bin/sh\necho "$1" >"$0.opened"\n'


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name in ("index", "runbooks/lease"):
        path = tmp_path / "a site" / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<p>{name}</p>")
    monkeypatch.setattr(pages_site, "site_folder", lambda: tmp_path / "a site")
    return tmp_path / "a site"


def docs_open(*arguments):
    return CliRunner().invoke(app, ["docs", "open", *arguments])


def test_page_is_opened_in_the_browser_from_its_file(site, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(site), "docs", "open", "lease#detect"],
        env=os.environ | {"BROWSER": f"{browser} %s"},
        capture_output=True,
        text=True,
        check=False,
    )
    address = f"{(site / 'runbooks/lease.html').as_uri()}#detect"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Opened {address}\n"
    assert (tmp_path / "browser.opened").read_text() == f"{address}\n"


def test_path_is_printed_and_nothing_is_opened(site, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened"))
    done = docs_open("--print-path", "lease")
    assert (done.exit_code, done.stdout) == (0, f"{site / 'runbooks/lease.html'}\n")


def test_without_a_browser_the_path_is_printed_and_the_status_is_1(site, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    done = docs_open()
    assert (done.exit_code, done.stdout) == (1, f"{site / 'index.html'}\n")
    assert "no browser could be started" in done.stderr


@pytest.mark.usefixtures("site")
def test_unknown_page_is_refused_with_those_that_there_are():
    done = docs_open("etcd")
    assert done.exit_code == 2
    assert "runbooks/lease" in done.stderr


def test_installation_without_pages_is_an_error_that_says_what_to_do(monkeypatch):
    def fail():
        raise pages_site.NoSiteError("this installation came without its pages")

    monkeypatch.setattr(pages_site, "site_folder", fail)
    done = docs_open("--print-path")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Error: this installation came without its pages\n"


def test_site_is_served_on_loopback_until_it_is_interrupted(site):
    with subprocess.Popen(
        [sys.executable, "-uc", COMMAND, str(site), "docs", "open", "lease", "--serve"],
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            address = running.stdout.readline().strip()
            assert re.fullmatch(
                r"http://127\.0\.0\.1:\d+/runbooks/lease\.html", address
            )
            assert "ssh -L" in running.stdout.readline()
            with urlopen(address, timeout=10) as answer:
                assert answer.read() == b"<p>runbooks/lease</p>"
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(timeout=10) == 0
