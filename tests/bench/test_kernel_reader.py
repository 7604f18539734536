"""20,000 states of a kernel, read: beside ip, a bare loop, and pyroute2."""

from __future__ import annotations

import compileall
import json
import os
import statistics
from pathlib import Path

import pytest

from tests.guest import ROOT, run_in_guest
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

STATES = 20_000
ROUNDS = int(os.environ.get("BENCH_READER_ROUNDS", "15"))
PROGRAMS = Path(__file__).parent / "guest"


def test_reading_20000_states_of_a_kernel(tmp_path):
    # The guest's files are read-only: it could not keep what it compiles.
    compileall.compile_dir(ROOT / "runbooks", quiet=1)
    load = os.getloadavg()[0]
    said = json.loads(
        run_in_guest(
            tmp_path,
            f'"$PYTHON" -S {PROGRAMS}/batch.py {STATES} > batch\n'
            "ip -batch batch\n"
            "rm batch\n"
            f'"$PYTHON" {PROGRAMS}/measure.py {ROUNDS}\n',
            memory="640M",
            within_s=1800,
        )
    )
    took_s = said["took_s"]

    def ratios(one: str, other: str) -> list[float]:
        pairs = zip(took_s[one], took_s[other], strict=True)
        return [first / second for first, second in pairs]

    def fastest(one: str, other: str) -> str:
        return f"{min(took_s[one]) / min(took_s[other]):.2f} times"

    beside_ip = ratios("read", "ip -s")
    beside_receive = ratios("read", "receive")
    beside_pyroute2 = ratios("pyroute2", "columns")
    write_table(
        "kernel-reader",
        "Reading 20,000 states of a kernel",
        f"``make bench``: {STATES:,} states of per-pair keys as Cilium 1.18 has them"
        " (ESN, replay window 1024, marks and output-marks) in one User-Mode Linux"
        f" kernel; {ROUNDS} rounds in turns, each command from its start to its end,"
        " its output thrown away. ``python -S -m runbooks.xfrm.read_states`` reads and"
        " decodes every state into columns and sums them up; the bare receive loop is a"
        " Python program that sends the same request and looks at no answer. The last"
        " rows are of one process and the same bytes: the columns, and pyroute2's"
        " decoding of the messages with all of their attributes. Ratios are those of"
        " each round; what else the machine did shows in their range, and least in the"
        " ratios of the fastest runs of each. Load of the machine when it began:"
        f" {load:.1f}.",
        ("What", "Median (range)"),
        [
            ("``ip -s xfrm state``", spread(took_s["ip -s"])),
            ("``ip xfrm state``", spread(took_s["ip"])),
            ("``python -S -c pass``", spread(took_s["nothing"])),
            ("Bare receive loop", spread(took_s["receive"])),
            ("``read_states``", spread(took_s["read"])),
            (
                "``read_states`` beside ``ip -s xfrm state``; at most 0.25 is wanted",
                spread(beside_ip, "times"),
            ),
            (
                "``read_states`` beside the bare receive loop; at most 2 is wanted",
                spread(beside_receive, "times"),
            ),
            (
                "The same two, fastest runs",
                f"{fastest('read', 'ip -s')}; {fastest('read', 'receive')}",
            ),
            ("Decoding into columns", spread(took_s["columns"])),
            ("Decoding with pyroute2", spread(took_s["pyroute2"])),
            (
                "pyroute2 beside columns; at least 20 is wanted",
                spread(beside_pyroute2, "times"),
            ),
            ("The same, fastest runs", fastest("pyroute2", "columns")),
        ],
    )
    assert said["read"] == {
        "states": STATES,
        "spis": {"inbound 3": STATES // 2, "outbound 3": STATES // 2},
        "replay_errors": 0,
        "integrity_errors": 0,
    }
    assert statistics.median(beside_ip) <= 0.25
    assert statistics.median(beside_receive) <= 2
    assert statistics.median(beside_pyroute2) >= 20
