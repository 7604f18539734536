"""How long a lab takes until packets flow, how much memory, and how long it ends."""

from __future__ import annotations

import os
import time

import pytest

from runbooks.lab.reading import wait_until
from tests.bench.node_memory import nodes_mib
from tests.conftest import start_lab
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
#: What is asked of it: seconds until packets flow, by the number of nodes.
SIZES = {3: 8, 10: 30}


def flowing(lab) -> bool:
    """Whether packets of this run have arrived on every pair."""
    return all(row["received"] for row in lab.traffic().values())


def measure(nodes: int, number: int) -> dict[str, float]:
    name = f"bench-{os.getpid()}-{nodes}-{number}"
    began = time.monotonic()
    with start_lab(name, "--nodes", str(nodes)) as lab:
        up_s = time.monotonic() - began
        lab.run("traffic", "start")
        wait_until(lambda: flowing(lab), "packets did not flow on every pair")
        flowing_s = time.monotonic() - began
        memory = nodes_mib(name)
        assert len(memory) == nodes
        ending = time.monotonic()
        lab.run("down")
        down_s = time.monotonic() - ending
    return {
        "up": up_s,
        "flowing": flowing_s,
        "memory": max(memory.values()),
        "down": down_s,
    }


def test_lab():
    rows = []
    for nodes, target_s in SIZES.items():
        rounds = [measure(nodes, number) for number in range(ROUNDS)]
        seen = {what: [r[what] for r in rounds] for what in rounds[0]}
        rows += [
            (f"{nodes} nodes: ``lab up`` has returned", spread(seen["up"]), ""),
            (
                f"{nodes} nodes: encrypted packets flow on every pair",
                spread(seen["flowing"]),
                f"{target_s} s",
            ),
            (
                f"{nodes} nodes: memory of the largest node",
                spread(seen["memory"], "MiB"),
                "100 MiB",
            ),
            (f"{nodes} nodes: ``lab down``", spread(seen["down"]), "2 s"),
        ]
    write_table(
        "lab",
        "Costs of a lab",
        f"``make bench``: {ROUNDS} labs of each size, one after the other, in "
        "key-value store mode with native routing. Memory is the proportional set "
        "size of all processes of a node's kernel, while packets flow.",
        ("What", "Median (range)", "Target"),
        rows,
    )
