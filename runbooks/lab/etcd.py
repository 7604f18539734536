"""The real etcd of a lab."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request

from runbooks.lab.plan import ETCD_PORT, GATEWAY, Lab, LabError

ENDPOINT = f"http://{GATEWAY}:{ETCD_PORT}"


async def start_etcd(lab: Lab) -> asyncio.subprocess.Process:
    """Start etcd and wait until it serves.

    Raises:
        LabError: etcd is not there, or does not start.
    """
    log = (lab.directory / "etcd.log").open("wb")
    try:
        process = await asyncio.create_subprocess_exec(
            "etcd",
            *("--name", lab.name),
            *("--data-dir", str(lab.directory / "etcd")),
            *("--listen-client-urls", ENDPOINT),
            *("--advertise-client-urls", ENDPOINT),
            *("--listen-peer-urls", "http://127.0.0.1:2380"),
            *("--initial-advertise-peer-urls", "http://127.0.0.1:2380"),
            *("--initial-cluster", f"{lab.name}=http://127.0.0.1:2380"),
            *("--log-level", "warn"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    except FileNotFoundError:
        raise LabError("etcd is not there; install the package etcd-server") from None
    finally:
        log.close()
    try:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(_healthy):
                if process.returncode is not None:
                    raise LabError(f"etcd ended: see {lab.directory / 'etcd.log'}")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise LabError("etcd did not start in 30 s") from None
    return process


def _healthy() -> bool:
    try:
        with urllib.request.urlopen(f"{ENDPOINT}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
