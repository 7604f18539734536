"""An audit of up to 2,000 nodes, from what their pods send to the findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.bench.audit_input import (
    SAMPLES,
    node_name,
    stale_node,
    states_per_peer,
    write,
)
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SIZES = (10, 30, 100, 300, 1000, 2000)
#: Beyond these, an object for each state takes too much memory.
SIZES_OF_OBJECTS = (30, 100)
MOST_MIB = 1e9 / 2**20
ROOT = Path(__file__).resolve().parents[2]


def audit(folder: Path, nodes: int, form: str) -> dict:
    """Run one audit in a process of its own."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.audit_process", folder, str(nodes), form],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout) | {"whole_s": time.monotonic() - began}
    receiver = node_name(stale_node(nodes))
    others = [node_name(n) for n in range(nodes) if n != stale_node(nodes)]
    assert found["stale"] == [[sender, receiver] for sender in others]
    assert found["findings"] == len(others)
    return found


def rows_of(
    nodes: int, form: str, runs: list[dict], beside: list[dict] | None
) -> tuple:
    states = nodes * (nodes - 1) * states_per_peer(nodes)
    ratio = (
        spread([o["cpu_s"] / c["cpu_s"] for o, c in zip(beside, runs, strict=True)], "")
        if beside
        else ""
    )
    return (
        f"{nodes:,}",
        form,
        f"{states:,}",
        spread([run["seconds"] for run in runs]),
        spread([run["cpu_s"] for run in runs]),
        spread([run["reading_cpu_s"] for run in runs]),
        spread([run["whole_s"] for run in runs]),
        f"{max(run['peak_mib'] for run in runs):.0f} MiB",
        spread([1e6 * run["cpu_s"] / (2 * states) for run in runs], "µs"),
        ratio,
    )


def test_audit_of_many_nodes():
    """Forms in turns on each size; the input lies in memory, and is not counted."""
    rows = []
    for nodes in SIZES:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
            folder = Path(name)
            size = write(folder, nodes)
            assert len(list(folder.iterdir())) == len(SAMPLES) * nodes
            columns, objects = [], []
            for _ in range(ROUNDS):
                columns.append(audit(folder, nodes, "columns"))
                if nodes in SIZES_OF_OBJECTS:
                    objects.append(audit(folder, nodes, "objects"))
        rows.append(rows_of(nodes, "columns", columns, objects))
        if objects:
            rows.append(rows_of(nodes, "objects", objects, None))
        if nodes == 1000:
            assert size > 4 * 10**8
            assert max(run["peak_mib"] for run in columns) < MOST_MIB
    write_table(
        "audit",
        "Audit of many nodes",
        "``make bench``: from the lines that the pods send, read node by node, to the"
        " findings: two samples of clusters in which everybody has forgotten one"
        " node and learned it again; all of those pairs are found. Each run is a"
        " process of its own; *whole* has its start in it, *reading* is the decoding of"
        " the lines. Up to 1,000 nodes there are four states for each peer, at 2,000"
        " two, so that a node has 4,000 at most. *Columns* is what a large audit does,"
        " *objects* what a small check does; the ratio is of their CPU time, in turns."
        f" {ROUNDS} rounds. The target at 1,000 nodes is 5 s and 1 GB (954 MiB).",
        (
            "Nodes",
            "Form",
            "States",
            "Time",
            "CPU",
            "Reading, CPU",
            "Whole",
            "Peak memory",
            "CPU for a state and sample",
            "Objects to columns",
        ),
        rows,
    )
