"""Asks a node's daemon, from the lab's side of the wire."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from runbooks.lab import channel
from runbooks.lab.channel import ChannelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class NodeClient:
    """One node.

    Args:
        name: Its name, for errors.
        address: Its address.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self._address = address

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection for one request.

        Raises:
            ChannelError: The node does not answer.
        """
        try:
            async with asyncio.timeout(5):
                return await asyncio.open_connection(self._address, channel.PORT)
        except (OSError, TimeoutError) as error:
            raise ChannelError(f"{self.name} does not answer: {error}") from error

    async def wait_until_up(self, limit_s: float) -> None:
        """Wait until the node answers.

        Raises:
            ChannelError: It did not within the limit.
        """
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    try:
                        _, writer = await asyncio.open_connection(
                            self._address, channel.PORT
                        )
                    except OSError:
                        await asyncio.sleep(0.1)
                        continue
                    writer.close()
                    return
        except TimeoutError:
            raise ChannelError(f"{self.name} did not start in {limit_s:g} s") from None

    async def ask(self, operation: str, **request: Any) -> Any:
        """Make a request that has one answer.

        Raises:
            ChannelError: The node could not do it, or went away.
        """
        reader, writer = await self.connect()
        try:
            channel.write_json(
                writer, channel.REQUEST, {"operation": operation, **request}
            )
            await writer.drain()
            while (frame := await channel.read_frame(reader)) is not None:
                if frame[0] == channel.EXIT:
                    end = json.loads(frame[1])
                    if "error" in end:
                        raise ChannelError(f"{self.name}: {end['error']}")
                    return end["answer"]
        finally:
            writer.close()
        raise ChannelError(f"{self.name} went away")

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        """Follow the agent's status for as long as the node lives."""
        reader, writer = await self.connect()
        try:
            channel.write_json(writer, channel.REQUEST, {"operation": "watch"})
            await writer.drain()
            while (frame := await channel.read_frame(reader)) is not None:
                if frame[0] == channel.EVENT:
                    yield json.loads(frame[1])
        finally:
            writer.close()
