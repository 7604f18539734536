"""Exec over WebSocket, as ``v4.channel.k8s.io`` has it, with a limit for all of it.

The official client's own call waits for ever where a handshake is accepted and
never answered, and counts its other waits on a clock that may jump.
"""

from __future__ import annotations

import ssl
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kubernetes import client
from kubernetes.stream.ws_client import get_websocket_url, websocket_proxycare
from websocket import ABNF, WebSocket, WebSocketTimeoutException

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Every message begins with the number of its channel.
STDIN, STDOUT, STDERR, ERROR = range(4)
_PROTOCOL = "sec-websocket-protocol: v4.channel.k8s.io"

#: How long the API server may take to reach the pod; the rest is the command's.
HANDSHAKE_LIMIT_S = 30.0


class ExecApiClient(client.ApiClient):  # type: ignore[misc]
    """Makes the calls of the API that are answered over a WebSocket.

    Args:
        configuration: Server and credentials.
        given: What a command gets on standard input, if its call asks for that. It
            sees no end of it: this version of the protocol has none.
    """

    def __init__(self, configuration: client.Configuration, given: bytes = b"") -> None:
        super().__init__(configuration)
        self._given = given

    def request(
        self,
        _method: str,
        url: str,
        query_params: list[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        _request_timeout: float = 60.0,
        **_: Any,
    ) -> dict[int, bytes]:
        """Make one call; the generated client calls this.

        Returns:
            What came over each channel.

        Raises:
            TimeoutError: There was no end within ``_request_timeout``.
            WebSocketException: The server refused, or the connection broke.
            OSError: There is no connection.
        """
        end = time.monotonic() + _request_timeout
        socket: Any = WebSocket(
            sslopt=_tls(self.configuration), skip_utf8_validation=True
        )
        limit_s = min(_request_timeout, HANDSHAKE_LIMIT_S)
        options = {
            "header": [_PROTOCOL, *_authorization(headers or {})],
            "timeout": limit_s,
        }
        if self.configuration.proxy or self.configuration.proxy_headers:
            websocket_proxycare(options, self.configuration, url, headers)
        try:
            socket.connect(get_websocket_url(url, query_params), **options)
            limit_s = _request_timeout
            if self._given:
                socket.send_binary(bytes((STDIN,)) + self._given)
            return _receive(socket, end)
        except (WebSocketTimeoutException, TimeoutError):
            raise TimeoutError(f"no answer within {limit_s:g} s") from None
        finally:
            socket.shutdown()


def _receive(socket: Any, end: float) -> dict[int, bytes]:
    received: defaultdict[int, bytearray] = defaultdict(bytearray)
    while (left_s := end - time.monotonic()) > 0:
        socket.settimeout(left_s)
        opcode, frame = socket.recv_data_frame(control_frame=True)
        if opcode == ABNF.OPCODE_CLOSE:
            return {channel: bytes(content) for channel, content in received.items()}
        if opcode in {ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT} and frame.data:
            received[frame.data[0]] += frame.data[1:]
    raise TimeoutError


def _authorization(headers: Mapping[str, str]) -> list[str]:
    # Nothing else that the generated client sends is meant for a WebSocket.
    return [f"{k}: {v}" for k, v in headers.items() if k.lower() == "authorization"]


def _tls(settings: client.Configuration) -> dict[str, Any]:
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if settings.verify_ssl:
        options["cert_reqs"] = ssl.CERT_REQUIRED
        if settings.assert_hostname is not None:
            options["check_hostname"] = settings.assert_hostname
    named = {
        "ca_certs": settings.verify_ssl and settings.ssl_ca_cert,
        "certfile": settings.cert_file,
        "keyfile": settings.key_file,
        "server_hostname": settings.tls_server_name,
    }
    return options | {name: value for name, value in named.items() if value}
