"""The built site for a browser elsewhere, at the other end of an SSH tunnel."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Leave the terminal to the address."""


def server(site: Path, port: int = 0) -> ThreadingHTTPServer:
    """Bind a server of the site to this machine's own loopback address.

    Args:
        site: Folder of the built site.
        port: Where to listen; 0 for a free one.

    Returns:
        The server, which answers once its ``serve_forever`` runs.

    Raises:
        OSError: The port is taken.
    """
    return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=site))
