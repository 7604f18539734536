"""JSON over HTTP, with nothing but the standard library.

requests and etcd3gw do the same, but to import them takes a node's kernel a second
of each boot and a tenth of its memory.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 5.0
_REFUSED = 400


class HttpError(Exception):
    """The server refused; the text is its own.

    Args:
        status: HTTP status.
        words: What it said.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status


#: What a server raises that can't be reached, or that refuses.
FAULTS = (HttpError, http.client.HTTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: HTTP status.
        content: The body, read as JSON.
    """

    status: int
    content: Any

    def accepted(self) -> Any:
        """The content.

        Raises:
            HttpError: The server refused.
        """
        if self.status >= _REFUSED:
            said = self.content
            words = said.get("message") or said.get("error") or said
            raise HttpError(self.status, str(words))
        return self.content


class JsonServer:
    """A server that takes and gives JSON; a connection for each question.

    Args:
        url: Scheme, host and port.
        token: A bearer token, if it asks for one.
        ca_file: Certificate of its authority, for HTTPS.
    """

    def __init__(self, url: str, *, token: str = "", ca_file: str = "") -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls = None
        if parts.scheme == "https":
            import ssl

            authority = Path(ca_file).read_text()
            self._tls = ssl.create_default_context(cadata=authority)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> Answer:
        """Ask one question.

        Raises:
            OSError: The server can't be reached.
        """
        with contextlib.closing(self._connect()) as connection:
            self._send(connection, method, path, body, query, media_type)
            response = connection.getresponse()
            text = response.read()
            return Answer(response.status, json.loads(text) if text else {})

    def lines(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Iterator[Any]:
        """Follow an answer that comes a line of JSON at a time, for as long as it does.

        Raises:
            HttpError: The server refused.
            OSError: The server can't be reached.
        """
        with contextlib.closing(self._connect()) as connection:
            self._send(connection, method, path, body, query, "application/json")
            # The next line may be hours away.
            connection.sock.settimeout(None)
            response = connection.getresponse()
            if response.status >= _REFUSED:
                Answer(response.status, json.loads(response.read())).accepted()
            while line := response.readline():
                yield json.loads(line)

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(
                self._host, self._port, timeout=_TIMEOUT_S
            )
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=_TIMEOUT_S, context=self._tls
        )

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None,
        media_type: str,
    ) -> None:
        if query:
            path += "?" + urllib.parse.urlencode(query)
        headers, data = dict(self._headers), None
        if body is not None:
            headers["Content-Type"], data = media_type, json.dumps(body)
        connection.request(method, path, data, headers)
