"""Rotations under full load lose no packet, again and again."""

from __future__ import annotations

import os
import time

import pytest

from runbooks.lab.reading import wait_until
from tests.conftest import start_lab
from tests.measurements import spread, write_table

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

ROTATIONS = int(os.environ.get("SOAK_ROTATIONS", "20"))
RATE = int(os.environ.get("SOAK_RATE", "1000"))
KINDS = [(m, d) for m in ("kvstore", "crd") for d in ("native", "tunnel")]


@pytest.fixture(scope="module")
def rows():
    rows = []
    yield rows
    if rows:
        write_table(
            "rotations",
            "Packets lost by rotations of a healthy cluster",
            f"``make soak``: the playbook rotates the key of three nodes while every "
            f"pair sends {RATE} numbered packets a second.",
            ("Mode", "Datapath", "Rotations", "Packets", "Lost", "Seconds each"),
            rows,
        )


@pytest.mark.parametrize(("mode", "datapath"), KINDS)
def test_no_rotation_of_a_healthy_cluster_loses_a_packet(
    mode, datapath, rows, tmp_path, capsys
):
    took_s: list[float] = []
    losses: list[dict] = []
    sent = lost = 0
    options = ("--mode", mode, "--datapath", datapath)
    with start_lab(f"soak-{os.getpid()}", *options) as lab:
        for number in range(1, ROTATIONS + 1):
            lab.run("traffic", "start", "--rate", str(RATE))
            began = time.monotonic()
            lab.playbook(
                "rotate-ipsec-key.yml", "-e", f"rotation_report_dir={tmp_path}"
            )
            took_s.append(time.monotonic() - began)
            lab.run("traffic", "stop")
            wait_until(lambda: settled(lab), "packets are still on their way", 10)
            counts = lab.traffic().values()
            sent += sum(row["sent"] for row in counts)
            lost += sum(row["lost"] for row in counts)
            losses += [{"rotation": number, **row} for row in counts if row["lost"]]
            with capsys.disabled():
                print(f"{mode} {datapath}: rotation {number} of {ROTATIONS},", end=" ")
                print(f"{took_s[-1]:.1f} s, {sent:,} packets, {lost} lost", flush=True)
    rows.append((mode, datapath, ROTATIONS, f"{sent:,}", lost, spread(took_s)))
    assert sent > 0
    assert losses == []


def settled(lab) -> bool:
    """Whether two looks at the counts are the same."""
    return lab.traffic() == lab.traffic()
