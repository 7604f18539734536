"""The lab's control socket: what the ``lab`` commands ask a running lab."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from runbooks.lab import channel
from runbooks.lab.channel import ChannelError
from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.operations import Operations


class Control:
    """Serves one lab's control socket.

    Args:
        operations: What the lab can be asked.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._server: asyncio.Server | None = None

    async def serve(self) -> None:
        """Begin to serve."""
        self._server = await asyncio.start_unix_server(
            self._connection, self._operations.lab.control_socket
        )

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            frame = await channel.read_frame(reader)
            if frame is None:
                return
            request = json.loads(frame[1])
            if request["operation"] == "exec":
                await self._relay(request, reader, writer)
                return
            try:
                operation = self._operations.by_name[request["operation"]]
                end = {"status": 0, "answer": await operation(request)}
            except (ChannelError, LabError, OSError) as error:
                end = {"error": str(error)}
            channel.write_json(writer, channel.EXIT, end)
            await channel.linger(reader, writer)
        except ConnectionError:
            return  # the asker has gone
        finally:
            writer.close()

    async def _relay(
        self,
        request: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            node = self._operations.nodes[request["node"]]
            node_reader, node_writer = await node.client.connect()
        except ChannelError as error:
            channel.write_json(writer, channel.EXIT, {"error": str(error)})
            await writer.drain()
            return
        channel.write_json(node_writer, channel.REQUEST, request)
        there = asyncio.ensure_future(_copy(reader, node_writer))
        back = asyncio.ensure_future(_until_exit(node_reader, writer))
        try:
            await asyncio.wait({there, back}, return_when="FIRST_COMPLETED")
            if back.done():
                there.cancel()
                await asyncio.wait({there})
                await channel.linger(reader, writer)
        finally:
            there.cancel()
            back.cancel()
            node_writer.close()


async def _until_exit(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while (frame := await channel.read_frame(reader)) is not None:
        channel.write_frame(writer, *frame)
        await writer.drain()
        if frame[0] == channel.EXIT:
            return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
