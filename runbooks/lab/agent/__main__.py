"""Run the agent: ``python -m runbooks.lab.agent CONFIG [FLAG...]``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

from runbooks.duration import parse_duration_s
from runbooks.lab.agent.agent import Agent
from runbooks.lab.agent.api import serve
from runbooks.lab.agent.config import AgentConfig
from runbooks.lab.agent.log import log
from runbooks.xfrm.keys import KeyFormatError


def main(argv: list[str] | None = None) -> int:
    """Run until stopped; says "ready" on standard output once it has joined.

    Args:
        argv: Configuration file and flags; those of the process if ``None``.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument(
        "--enable-ipsec-key-watcher", choices=("true", "false"), default="true"
    )
    parser.add_argument("--ipsec-key-rotation-duration", type=parse_duration_s)
    flags = parser.parse_args(argv)
    # The times of a lab are short: a burst of packets must not cost a lease.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    config = AgentConfig.read(flags.config)
    if (duration_s := flags.ipsec_key_rotation_duration) is not None:
        config = replace(config, rotation_duration_s=duration_s)
    watches_key = flags.enable_ipsec_key_watcher == "true"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        agent = Agent(config, boot_id, watches_key=watches_key)
    except (OSError, KeyFormatError) as error:
        log("Failed to load IPsec keyfile", level="error", module="agent", error=error)
        return 1
    threading.Thread(target=serve, args=(agent,), daemon=True).start()
    agent.run(lambda: print("ready", flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
