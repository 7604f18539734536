"""One node's kubelet, seen from the API: pods' status, key volume, the agent."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

from runbooks.lab import channel
from runbooks.lab.channel import ChannelError
from runbooks.lab.kubeapi.status import StatusError
from runbooks.lab.plan import KEY_FILE, NAMESPACE, Lab, LabError, NodePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.cluster import Cluster
    from runbooks.lab.kubeapi.execution import ExecIO
    from runbooks.lab.node_client import NodeClient

_READY_LIMIT_S = 60
_RESTART_DELAY_S = 1.0
_LOG_LINES = 20


class Kubelet:
    """Keeps one node's agent as the cluster wants it.

    Args:
        lab: The lab.
        node: The node.
        client: Way to ask the node.
        cluster: The cluster's objects.
    """

    def __init__(
        self, lab: Lab, node: NodePlan, client: NodeClient, cluster: Cluster
    ) -> None:
        self._lab = lab
        self._node = node
        self._client = client
        self._cluster = cluster
        self._wanted = True
        self._restarts = 0
        self._boot_id = ""
        #: How late the key file follows the Secret; ``None``: not at all.
        self.secret_delay_s: float | None = 0.0
        #: Counts the changes of the delay; what waited for an old one is void.
        self.secret_turn = 0
        self._news = asyncio.Condition()
        #: The agent as the node last told: ``running``, ``ready``, ``last``, ...
        self.agent: dict[str, Any] = {"running": False, "ready": False}

    async def join(self) -> None:
        """Mount the key, start the agent and wait until it is ready.

        Raises:
            LabError: It did not become ready.
        """
        boot_id = await self.register()
        if self._boot_id:
            self._restarts += 1  # a reboot restarts every container
        self._boot_id = boot_id
        self._wanted = True
        await self.sync_secret()
        await self._start()
        try:
            async with asyncio.timeout(_READY_LIMIT_S):
                async for status in self._client.watch():
                    self._take(status)
                    if status["ready"]:
                        return
                    if not status["running"]:
                        break
        except TimeoutError:
            pass
        # The node is gone before anybody could look for more.
        end = (await self.log()).splitlines()[-_LOG_LINES:]
        raise LabError(
            f"the agent of {self._node.name} did not become ready; the end of its "
            "log:\n" + "\n".join(end)
        )

    def saved(self) -> dict[str, Any]:
        """What another kubelet needs to go on."""
        return {
            "wanted": self._wanted,
            "restarts": self._restarts,
            "boot_id": self._boot_id,
            "secret_delay_s": self.secret_delay_s,
        }

    def resume(self, saved: dict[str, Any]) -> None:
        """Go on where another kubelet ended."""
        self._wanted, self._restarts = saved["wanted"], saved["restarts"]
        self._boot_id = saved["boot_id"]
        self.secret_delay_s = saved["secret_delay_s"]

    async def delay_secret(self, delay_s: float | None) -> None:
        """Let the key file follow the Secret so late from now on.

        Args:
            delay_s: How late; 0 as usual, and at once this time; ``None``: never.
        """
        self.secret_delay_s = delay_s
        self.secret_turn += 1
        if delay_s:
            self._cluster.follow_secret(self)
        elif delay_s is not None:
            await self.sync_secret()

    async def register(self) -> str:
        """Make the Node object, as a kubelet does when it starts.

        Returns:
            The node's boot ID.
        """
        facts = await self._client.ask("facts")
        boot_id: str = facts["boot_id"]
        self._cluster.register(self._node, boot_id, facts["kernel"])
        return boot_id

    async def _start(self) -> None:
        flags = self._cluster.agent_flags()
        await self._client.ask("agent", action="start", flags=flags)

    async def run(self) -> None:
        """Follow the agent for as long as the node lives."""
        while True:
            try:
                async for status in self._client.watch():
                    self._take(status)
                    async with self._news:
                        self._news.notify_all()
                    if self._wanted and not status["running"]:
                        await asyncio.sleep(_RESTART_DELAY_S)
                        if self._wanted:
                            await self._start()
            except ChannelError:
                self.lose()
            await asyncio.sleep(1)

    def lose(self) -> None:
        """Know that nothing runs on the node any more."""
        if self.agent["running"]:
            self.agent |= {"running": False, "ready": False}
            self._cluster.agent_changed(self._node, self.agent)

    async def stop_agent(self, signal_name: str) -> dict[str, Any]:
        """Stop the agent, and keep it stopped."""
        self._wanted = False
        status: dict[str, Any] = await self._client.ask(
            "agent", action="stop", signal=signal_name
        )
        self._take(status)
        return status

    async def start_agent(self) -> dict[str, Any]:
        """Start the agent again and wait until it is ready.

        Raises:
            ChannelError: It did not become ready.
        """
        self._wanted = True
        await self._start()
        await self._until(lambda: self.agent["ready"], "did not become ready")
        return self.agent

    async def wait_for_peers(self, count: int) -> None:
        """Wait until the agent has programmed a number of peers.

        Raises:
            ChannelError: It has not within a minute.
        """
        await self._until(
            lambda: len((self.agent.get("announced") or {}).get("peers", ())) >= count,
            f"did not learn of {count} peers",
        )

    async def _until(self, condition: Callable[[], bool], complaint: str) -> None:
        try:
            async with asyncio.timeout(_READY_LIMIT_S):
                async with self._news:
                    await self._news.wait_for(condition)
        except TimeoutError:
            raise ChannelError(f"the agent of {self._node.name} {complaint}") from None

    async def sync_secret(self) -> None:
        """Bring the Secret into the key file, if there is a Secret."""
        try:
            secret = self._cluster.store.get("secrets", "cilium-ipsec-keys", NAMESPACE)
        except StatusError:
            return  # kubelet leaves a mounted volume as it was
        files = {
            name: base64.b64decode(value).decode()
            for name, value in (secret.get("data") or {}).items()
        }
        directory = KEY_FILE.rsplit("/", 1)[0]
        await self._client.ask("volume", path=directory, files=files)

    def _take(self, status: dict[str, Any]) -> None:
        if self.agent.get("running") is False and status["running"]:
            self._restarts += status["last"] is not None
        self.agent = {**status, "restarts": self._restarts}
        self._cluster.agent_changed(self._node, self.agent)

    def forget_restarts(self) -> None:
        """Begin to count restarts anew: there is another Pod."""
        self._restarts = 0
        self.agent = {**self.agent, "running": True, "restarts": 0}

    async def execute(
        self, argv: list[str], io: ExecIO, *, pod: bool, stdin: bool, tty: bool
    ) -> int:
        """Run a command on the node, or in its pod.

        Raises:
            ChannelError: The node could not run it.
        """
        reader, writer = await self._client.connect()
        try:
            request = {"operation": "exec", "argv": argv, "pod": pod, "tty": tty}
            channel.write_json(writer, channel.REQUEST, request)
            await writer.drain()
            feed = asyncio.ensure_future(_feed(io, writer, stdin=stdin))
            try:
                while (frame := await channel.read_frame(reader)) is not None:
                    kind, content = frame
                    if kind == channel.STDOUT:
                        await io.write_stdout(content)
                    elif kind == channel.STDERR:
                        await io.write_stderr(content)
                    elif kind == channel.EXIT:
                        return _status_of(self._node.name, json.loads(content))
            finally:
                feed.cancel()
        finally:
            writer.close()
        raise ChannelError(f"{self._node.name} went away")

    async def log(self, *, previous: bool = False) -> str:
        """The agent's log, as far as the node keeps it.

        Args:
            previous: Of the agent that ran before this one.

        Raises:
            ChannelError: The node does not answer, or there was none before.
        """
        text: str = await self._client.ask("log", previous=previous)
        return text


def _status_of(node: str, end: dict[str, Any]) -> int:
    if "error" in end:
        raise ChannelError(f"{node}: {end['error']}")
    status: int = end["answer"]
    return status


async def _feed(io: ExecIO, writer: asyncio.StreamWriter, *, stdin: bool) -> None:
    data = b"-" if stdin else b""
    while data:
        data = await io.read_stdin()
        channel.write_frame(writer, channel.STDIN, data)
        await writer.drain()
    if not stdin:
        channel.write_frame(writer, channel.STDIN, b"")
        await writer.drain()
