"""From stale pairs to the first packet through them again."""

from __future__ import annotations

import os
import threading
import time

import pytest

from tests.conftest import start_lab
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_STALE_ROUNDS", "3"))
RATE = 100
LOOK_S = 0.1
#: A pair that got nothing for this long, at 100 packets a second, is broken.
SILENT_S = 2.0
HEALED_WITHIN_S = 120.0


def received(lab) -> dict[tuple[str, str], int]:
    """Packets that arrived so far, by source and destination."""
    told = lab.client.ask("traffic", action="report")
    nodes = lab.client.lab.nodes
    return {
        (source.name, destination.name): told[destination.name]["received"]
        .get(source.pod_ip, {})
        .get("packets", 0)
        for source in nodes
        for destination in nodes
        if source is not destination
    }


def broken_pairs(lab) -> dict[tuple[str, str], int]:
    """Pairs that nothing arrives from, with what had arrived before."""
    before = received(lab)
    time.sleep(SILENT_S)
    after = received(lab)
    return {pair: count for pair, count in before.items() if after[pair] == count}


def until_all_hear(lab, broken) -> float:
    """Seconds until a packet has come through on every broken pair."""
    began = time.monotonic()
    while time.monotonic() - began < HEALED_WITHIN_S:
        now = received(lab)
        if all(now[pair] > count for pair, count in broken.items()):
            return time.monotonic() - began
        time.sleep(LOOK_S)
    pytest.fail("a broken pair stayed broken")


def first_packet_s(lab, cure) -> float:
    """Break the lab, begin a cure, and wait for the first packets."""
    lab.run("break", "kvstore-lease-expired", "--node", "node2")
    # Anew, since the failure keeps one pair from sending.
    lab.run("traffic", "start", "--rate", str(RATE))
    broken = broken_pairs(lab)
    assert set(broken) == {("node1", "node2"), ("node3", "node2")}
    at_work = threading.Thread(target=cure)
    at_work.start()
    took_s = until_all_hear(lab, broken)
    at_work.join()
    return took_s


def test_time_from_stale_to_the_first_packet(tmp_path):
    """The playbook against a bare patch of the Secret, in turns."""
    playbook_s, bare_s = [], []
    options = ("-e", f"rotation_report_dir={tmp_path}")
    with start_lab(f"stale-{os.getpid()}") as lab:
        lab.run("traffic", "start", "--rate", str(RATE))
        for _ in range(ROUNDS):
            bare_s.append(first_packet_s(lab, lambda: lab.run("heal")))
            playbook_s.append(
                first_packet_s(
                    lab, lambda: lab.playbook("rotate-ipsec-key.yml", *options)
                )
            )
    over_s = [p - b for p, b in zip(playbook_s, bare_s, strict=True)]
    ratios = [p / b for p, b in zip(playbook_s, bare_s, strict=True)]
    write_table(
        "first-packet",
        "From stale to the first packet",
        f"``make bench``: a lease expires in a lab of three nodes under {RATE} packets"
        " a second and pair; from the start of the cure until a packet has come"
        " through on every pair that was broken. The playbook looks at every node"
        " before it changes the key; the bare patch (``ipsec-runbooks lab heal``)"
        f" does not. {ROUNDS} rounds, in turns.",
        ("What", "Median (range)"),
        [
            ("Playbook", spread(playbook_s)),
            ("Bare patch", spread(bare_s)),
            ("Ratio", spread(ratios, "times")),
            ("Playbook takes longer by", spread(over_s)),
        ],
    )
