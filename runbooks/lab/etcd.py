"""The real etcd of a lab."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import urllib.error
import urllib.request

from runbooks.lab.plan import ETCD_PORT, GATEWAY, Lab, LabError
from runbooks.lab.process import KeptProcess

ENDPOINT = f"http://{GATEWAY}:{ETCD_PORT}"
_START_LIMIT_S = 30


class Etcd:
    """The key-value store, a process of its own.

    Args:
        lab: The lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._name = lab.name
        self._data = lab.directory / "etcd"
        self._log = lab.directory / "etcd.log"
        self._process = KeptProcess(lab.directory / "etcd.pid")

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process.running

    async def start(self) -> None:
        """Start etcd with the data that it has, and wait until it serves.

        Raises:
            LabError: etcd is not there, or does not start.
        """
        try:
            self._process.start(
                [
                    "etcd",
                    *("--name", self._name),
                    *("--data-dir", str(self._data)),
                    *("--listen-client-urls", ENDPOINT),
                    *("--advertise-client-urls", ENDPOINT),
                    *("--listen-peer-urls", "http://127.0.0.1:2380"),
                    *("--initial-advertise-peer-urls", "http://127.0.0.1:2380"),
                    *("--initial-cluster", f"{self._name}=http://127.0.0.1:2380"),
                    # A store that is made anew is another cluster, with another ID.
                    *("--initial-cluster-token", secrets.token_hex(4)),
                    *("--log-level", "warn"),
                ],
                self._log,
            )
        except FileNotFoundError:
            raise LabError(
                "etcd is not there; install the package etcd-server"
            ) from None
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                while not await asyncio.to_thread(_healthy):
                    if not self.running:
                        raise LabError(f"etcd ended: see {self._log}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise LabError(f"etcd did not start in {_START_LIMIT_S} s") from None

    def adopt(self) -> None:
        """Take over the store that another supervisor started."""
        self._process.adopt()

    async def stop(self) -> None:
        """Kill it; its data stays."""
        await self._process.kill()

    async def recreate(self) -> None:
        """Remove the store with all that is in it, and make it anew.

        Raises:
            LabError: It does not start.
        """
        await self.stop()
        shutil.rmtree(self._data)
        await self.start()


def _healthy() -> bool:
    try:
        with urllib.request.urlopen(f"{ENDPOINT}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
