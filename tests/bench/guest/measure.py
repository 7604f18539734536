"""Time ways to read this kernel's states, in turns; prints JSON.

Usage: measure.py ROUNDS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

LEAN = [sys.executable, "-S"]
COMMANDS = {
    "ip -s": ["ip", "-s", "xfrm", "state"],
    "ip": ["ip", "xfrm", "state"],
    "receive": [*LEAN, str(Path(__file__).with_name("receive.py"))],
    "read": [*LEAN, "-m", "runbooks.xfrm.read_states"],
    "nothing": [*LEAN, "-c", "pass"],
}


def took_s(argv: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, env=os.environ)
    return time.monotonic() - began


def decoding_s(rounds: int) -> tuple[list[float], list[float]]:
    """In one process, on the same bytes: columns, and pyroute2's way."""
    from runbooks.xfrm.columns import read_state_columns
    from runbooks.xfrm.dump import parse_states
    from runbooks.xfrm.messages import CheckedMessage, StateMessage
    from runbooks.xfrm.uapi import XFRM_MSG_GETSA
    from runbooks.xfrm.wire import XfrmWire, split_messages

    class Blocks(list):
        def extend(self, messages):
            self.append(bytes(messages))

    blocks = XfrmWire().dump(XFRM_MSG_GETSA, "read the XFRM states", Blocks)
    columns, generic = [], []
    for _ in range(rounds):
        began = time.monotonic()
        read = read_state_columns(blocks)
        columns.append(time.monotonic() - began)
        began = time.monotonic()
        for block in blocks:
            for *_, raw in split_messages(block):
                message = StateMessage(raw)
                super(CheckedMessage, message).decode()  # As pyroute2 has it.
                for slot in message["attrs"]:
                    slot.cell[1].decode()
        generic.append(time.monotonic() - began)
    declared = [state for block in blocks for state in parse_states(block)]
    assert read.to_states() == declared
    return columns, generic


def main() -> None:
    rounds = int(sys.argv[1])
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for argv in COMMANDS.values():
        took_s(argv)  # What the host has to fetch from disk is no part of it.
    for _ in range(rounds):
        for name, argv in COMMANDS.items():
            took[name].append(took_s(argv))
    took["columns"], took["pyroute2"] = decoding_s(rounds)
    summary = subprocess.run(COMMANDS["read"], capture_output=True, check=True)
    print(json.dumps({"took_s": took, "read": json.loads(summary.stdout)}))


if __name__ == "__main__":
    main()
