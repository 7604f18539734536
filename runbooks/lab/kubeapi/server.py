"""The API over HTTPS: who asks, may they, and which part answers."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from runbooks.lab.kubeapi import discovery
from runbooks.lab.kubeapi.admission import check_shape
from runbooks.lab.kubeapi.answers import answer, refusal
from runbooks.lab.kubeapi.credentials import AUTHENTICATED, Identity
from runbooks.lab.kubeapi.execution import choose_container, exec_request
from runbooks.lab.kubeapi.faults import ConnectionDroppedError, Faults, PageError
from runbooks.lab.kubeapi.openapi_v2 import MEDIA_TYPE, openapi_v2
from runbooks.lab.kubeapi.rbac import check_access
from runbooks.lab.kubeapi.request import RequestInfo, parse
from runbooks.lab.kubeapi.reviews import review
from runbooks.lab.kubeapi.spdy_exec import exec_over_spdy
from runbooks.lab.kubeapi.status import (
    JsonObject,
    StatusError,
    bad_request,
    forbidden,
    internal_error,
    unauthorized,
)
from runbooks.lab.kubeapi.streams import LogRequest, stream_log, stream_watch
from runbooks.lab.kubeapi.verbs import Verbs, read_body
from runbooks.lab.kubeapi.websocket import exec_over_websocket

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator

    from runbooks.lab.kubeapi.credentials import Credentials
    from runbooks.lab.kubeapi.execution import ExecHandler
    from runbooks.lab.kubeapi.store import Store
    from runbooks.lab.kubeapi.streams import LogHandler

Dial: TypeAlias = Callable[[JsonObject], Awaitable[None]]
"""Reach the node of a Pod, or raise ``StatusError``."""

_HEALTH = {"/healthz", "/livez", "/readyz"}
_BODY_LIMIT_BYTES = 4 * 1024 * 1024
_SHUTDOWN_LIMIT_S = 0.2


async def no_log(
    _pod: JsonObject, _container: str, _wanted: LogRequest
) -> AsyncIterator[bytes]:
    """Read an empty log: what containers have that keep none."""
    nothing: tuple[bytes, ...] = ()
    for line in nothing:
        yield line


@dataclass(frozen=True, slots=True)
class Api:
    """The parts that answer requests.

    Attributes:
        store: The objects.
        credentials: Who is who.
        exec_handler: What runs commands.
        log_handler: What reads logs.
        faults: What goes wrong on purpose.
        dial: What reaches the node of a pod.
    """

    store: Store
    credentials: Credentials
    exec_handler: ExecHandler
    log_handler: LogHandler
    faults: Faults
    dial: Dial

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Answer any request; what goes wrong becomes a ``Status``."""
        try:
            return await self._dispatch(http)
        except StatusError as error:
            return refusal(error)
        except ConnectionDroppedError:
            if http.transport is not None:
                http.transport.abort()
            return web.Response()
        except PageError:
            asked = await http.text()
            page = f"<html><p>Please log in.</p><pre>{asked}</pre></html>"
            return web.Response(text=page, content_type="text/html")
        except web.HTTPRequestEntityTooLarge:
            message = f"limit is {_BODY_LIMIT_BYTES} bytes"
            return refusal(StatusError(413, "RequestEntityTooLarge", message))
        except ConnectionError:
            raise
        except Exception as error:
            http.app.logger.exception("%s %s failed", http.method, http.path)
            return refusal(internal_error(type(error).__name__))

    async def _dispatch(self, http: web.Request) -> web.StreamResponse:
        if http.path in _HEALTH:
            return web.Response(text="ok")
        identity = self._identify(http)
        if http.path == "/openapi/v2":
            content = openapi_v2(self.store.catalogue)
            return web.Response(body=content, content_type=MEDIA_TYPE)
        document = discovery.document(self.store.catalogue, http.path)
        if document is not None:
            return answer(document)
        info = parse(http.method, http.path.rstrip("/"), http.query)
        check_access(self.store, identity, info)
        fault = self.faults.claim(info)
        if fault is not None and not fault.after:
            await fault.strike()
        response = await self._resource(http, identity, info)
        if fault is not None and fault.after:
            await fault.strike()
        return response

    def _identify(self, http: web.Request) -> Identity:
        identity = self._authenticate(http)
        if user := http.headers.get("Impersonate-User"):
            if not identity.is_master:
                why = (
                    f'User "{identity.user}" cannot impersonate resource "users" in '
                    'API group "" at the cluster scope'
                )
                raise forbidden("users", "", user, why)
            groups = [*http.headers.getall("Impersonate-Group", []), AUTHENTICATED]
            if user.startswith("system:serviceaccount:"):
                groups += [
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{user.split(':')[2]}",
                ]
            return Identity(user, tuple(groups))
        return identity

    def _authenticate(self, http: web.Request) -> Identity:
        scheme, _, token = http.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            identity = self.credentials.identity_of_token(token.strip())
            if identity is None or not self._account_lives(identity):
                raise unauthorized()
            return identity
        transport = http.transport
        peer = transport.get_extra_info("peercert") if transport is not None else None
        if not peer:
            raise unauthorized()
        return self.credentials.identity_of_certificate(peer)

    def _account_lives(self, identity: Identity) -> bool:
        if not identity.uid:
            return True
        _, _, namespace, name = identity.user.split(":")
        try:
            account = self.store.get("serviceaccounts", name, namespace)
        except StatusError:
            return False
        return bool(account["metadata"]["uid"] == identity.uid)

    async def _resource(
        self, http: web.Request, identity: Identity, info: RequestInfo
    ) -> web.StreamResponse:
        match (info.resource, info.subresource):
            case ("pods", "exec"):
                return await self._exec(http, identity, info)
            case ("pods", "log"):
                pod = self.store.get("pods", info.name, info.namespace)
                container = choose_container(pod, http.query.get("container", ""))
                return await stream_log(http, pod, container, self.log_handler)
        resource = self.store.catalogue.at(info.group, info.version, info.plural)
        if not resource.stored and info.verb == "create":
            asked = check_shape(resource, await read_body(http) or {})
            asked |= {"apiVersion": resource.api_version, "kind": resource.kind}
            return answer(review(self.store, identity, info.plural, asked), 201)
        if info.verb == "watch":
            return await stream_watch(http, self.store, info)
        return await Verbs(self.store, self.credentials).carry_out(http, info)

    async def _exec(
        self, http: web.Request, identity: Identity, info: RequestInfo
    ) -> web.StreamResponse:
        upgrade = http.headers.get("Upgrade", "").lower()
        if upgrade == "websocket":
            # Since 1.35 (AuthorizePodWebsocketUpgradeCreatePermission) the right
            # to get, which the method asks for, is not enough.
            check_access(self.store, identity, replace(info, verb="create"))
        pod = self.store.get("pods", info.name, info.namespace)
        argv = http.query.getall("command", [])
        request = exec_request(pod, argv, http.query)
        await self.dial(pod)
        if upgrade == "websocket":
            return await exec_over_websocket(http, request, self.exec_handler)
        if upgrade == "spdy/3.1":
            return await exec_over_spdy(http, request, self.exec_handler)
        raise bad_request("Upgrade request required")


async def reach_any(_pod: JsonObject) -> None:
    """Find every node up."""


class Server:
    """A running API.

    Args:
        runner: What aiohttp runs.
        tls: The server's TLS context.
    """

    def __init__(self, runner: web.AppRunner, tls: ssl.SSLContext) -> None:
        self._runner = runner
        self._tls = tls

    async def listen(self, listener: socket.socket) -> None:
        """Serve on one more address.

        Args:
            listener: A bound socket; it is closed with the server.
        """
        await web.SockSite(self._runner, listener, ssl_context=self._tls).start()

    async def close(self) -> None:
        """Stop: end all watches and commands, close all connections."""
        with contextlib.suppress(RuntimeError):
            await self._runner.cleanup()


async def serve(
    store: Store,
    listener: socket.socket,
    credentials: Credentials,
    exec_handler: ExecHandler,
    *,
    log_handler: LogHandler = no_log,
    faults: Faults | None = None,
    dial: Dial = reach_any,
) -> Server:
    """Serve a store over HTTPS.

    Args:
        store: The objects.
        listener: A bound socket; it is closed with the server.
        credentials: Who is who, and the server's certificate.
        exec_handler: What runs commands in containers.
        log_handler: What reads their logs.
        faults: What goes wrong on purpose; may be changed later.
        dial: Called before a command is run: raises ``StatusError``
            (``backend_unreachable``) if the pod's node is down.

    Returns:
        The server, which runs until it is closed.
    """
    api = Api(store, credentials, exec_handler, log_handler, faults or Faults(), dial)
    app = web.Application(client_max_size=_BODY_LIMIT_BYTES)
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_SHUTDOWN_LIMIT_S,
    )
    await runner.setup()
    server = Server(runner, credentials.server_context())
    await server.listen(listener)
    return server
