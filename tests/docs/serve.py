"""Serve a built site the way it is published: below a path, with its 404 page."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

#: Where the tests' site claims to be published; nobody is asked there.
BASE_URL = "https://docs.example.test/ipsec/"
PREFIX = urlsplit(BASE_URL).path


class PublishedHandler(SimpleHTTPRequestHandler):
    def translate_path(self, path):
        below = urlsplit(path).path
        if not below.startswith(PREFIX):
            return str(Path(self.directory, "outside-of-the-site"))
        return super().translate_path("/" + below.removeprefix(PREFIX))

    def send_error(self, code, message=None, explain=None):
        if code != 404:
            super().send_error(code, message, explain)
            return
        page = Path(self.directory, "404.html").read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@contextmanager
def serving(site: Path):
    """Serve a folder on this machine; gives the address of the site's root."""
    handler = partial(PublishedHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()
