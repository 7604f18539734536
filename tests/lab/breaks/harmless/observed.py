"""What the kernels say of a cluster while a harmless condition stands."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbooks.lab.breaks import ledger
from runbooks.lab.reading import read_states, wait_until
from runbooks.xfrm.model import Direction
from runbooks.xfrm.text import parse_policy_text, parse_state_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.xfrm.model import XfrmPolicy, XfrmState
    from tests.conftest import RunningLab

RATE = "100"


@contextmanager
def standing(lab: RunningLab, *breaks: tuple[str, ...]) -> Iterator[RunningLab]:
    """A lab under traffic with breaks made one after the other; healed in the end."""
    lab.run("traffic", "start", "--rate", RATE)
    try:
        for words in breaks:
            lab.run("break", *words)
        yield lab
    finally:
        if ledger.standing(lab.client.lab):
            lab.run("heal")
        lab.run("traffic", "stop")


def pairs(lab: RunningLab) -> list[tuple[str, str]]:
    names = [node.name for node in lab.client.lab.nodes]
    return [(a, b) for a in names for b in names if a != b]


def decrypted(lab: RunningLab) -> dict[tuple[str, str], int]:
    """Packets that each pair's receiver has taken, under any SPI."""
    plan = lab.client.lab
    counts = dict.fromkeys(pairs(lab), 0)
    sources = {plan.esp_address(node): node.name for node in plan.nodes}
    for node in plan.nodes:
        for state in read_states(lab.client, node.name):
            if state.direction is Direction.IN and state.source in sources:
                counts[sources[state.source], node.name] += state.packets
    return counts


def dropped(lab: RunningLab) -> dict[str, dict[str, int]]:
    """Every node's counters that are not zero."""
    return {name: row["counters"] for name, row in lab.status().items()}


def assert_every_pair_delivers(lab: RunningLab) -> None:
    """Each receiver's kernel takes packets, and none drops one."""
    drops = dropped(lab)
    wait_for_delivery(lab, decrypted(lab))
    assert dropped(lab) == drops


def wait_for_delivery(
    lab: RunningLab, before: dict[tuple[str, str], int], packets: int = 20
) -> None:
    """Wait until each pair's receiver has taken so many more packets."""

    def all_arrived() -> bool:
        now = decrypted(lab)
        return all(now[pair] >= count + packets for pair, count in before.items())

    wait_until(all_arrived, f"not every pair delivers: {before}", 20)


@dataclass(frozen=True)
class Checked:
    """What ``ipsec-runbooks check`` said."""

    status: int
    notes: list[str]
    alarms: list[dict[str, Any]]


def check(lab: RunningLab) -> Checked:
    done = lab.command("ipsec-runbooks", "check", "--output", "json", check=False)
    findings = json.loads(done.stdout)["findings"]
    notes = [f["code"] for f in findings if f["severity"] == "info"]
    return Checked(
        done.returncode, notes, [f for f in findings if f["severity"] != "info"]
    )


def assert_check_is_calm(lab: RunningLab) -> None:
    """``ipsec-runbooks check`` cries no wolf."""
    checked = check(lab)
    assert checked.alarms == []
    assert checked.status == 0


def foreign(lab: RunningLab, node: str) -> tuple[list[XfrmState], list[XfrmPolicy]]:
    """A node's states without a mark of Cilium's, and policies of other networks."""

    def shown(what: str) -> str:
        return lab.client.run(node, ["ip", "-s", "xfrm", what]).stdout

    states = [s for s in parse_state_text(shown("state")) if s.direction is None]
    policies = parse_policy_text(shown("policy"))
    return states, [p for p in policies if "192.0.2.0/24" in {p.source, p.destination}]


def one_spi(lab: RunningLab) -> int:
    """The SPI that every node is on, alone."""
    ((spi,),) = {tuple(row["spis"]) for row in lab.status().values()}
    return spi
