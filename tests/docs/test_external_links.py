"""Links out of the site are collected, and checked where a host answers."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.docs.checkout import ROOT

SCRIPT = ROOT / "docs" / "_extensions" / "external_links.py"


class Host(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(404 if "gone" in self.path else 200)
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def log_message(self, *_):
        pass


@pytest.fixture
def host():
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def nobody():
    """An address where nobody listens."""
    with unused_port() as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def unused_port():
    with ThreadingHTTPServer(("127.0.0.1", 0), Host, bind_and_activate=False) as bound:
        bound.server_bind()
        yield bound.server_port


def reachable(*addresses: str, folder) -> subprocess.CompletedProcess[str]:
    listed = folder / "links.txt"
    listed.write_text("".join(f"{address}\tindex\n" for address in addresses))
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(listed)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_network_the_check_is_skipped_in_words_and_status(nobody, tmp_path):
    done = reachable(f"{nobody}/a", f"{nobody}/b", folder=tmp_path)
    assert done.returncode == 77
    assert "2 addresses on 1 hosts, 0 of which answer" in done.stdout
    assert "SKIPPED, none was checked" in done.stderr


def test_one_host_that_answers_is_a_network(nobody, host, tmp_path):
    done = reachable(f"{nobody}/a", f"{host}/b", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_site_without_links_has_none_to_skip(tmp_path):
    assert reachable(folder=tmp_path).returncode == 0


def test_built_site_lists_its_links_with_their_pages(site):
    lines = (site / "external-links.txt").read_text("utf-8").splitlines()
    listed = dict(line.split("\t") for line in lines)
    assert "reference/report" in listed["https://json-schema.org/draft/2020-12"]
    assert all(address.startswith("https://") for address in listed)


def test_address_that_is_gone_fails_with_its_page_and_line(host, tmp_path):
    """The builder that `make links` runs, with the site's own configuration."""
    page = f"Title\n=====\n\n`One <{host}/here>`__.\n\n`Two <{host}/gone>`__.\n"
    (tmp_path / "index.rst").write_text(page)
    (tmp_path / "spelling-words.txt").touch()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-b", "linkcheck"),
            *("-c", str(ROOT), str(tmp_path), str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    found = (tmp_path / "out" / "output.txt").read_text("utf-8").splitlines()
    assert len(found) == 1
    assert found[0].startswith(f"index.rst:6: [broken] {host}/gone")
