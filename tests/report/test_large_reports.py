"""A thousand nodes stay readable."""

import pytest

from runbooks.diagnose.finding import (
    Code,
    Diagnosis,
    Finding,
    NodeReading,
    Severity,
    Verdict,
)
from runbooks.report.html import to_html
from runbooks.report.matrix import Cell, matrix
from runbooks.report.text import to_text

NODES = [f"node{i:04}" for i in range(1000)]


def stale(source, destination):
    tunnel = {
        "source": "10.100.200.100",
        "destination": "10.100.200.101",
        "outbound_oseq": 1200,
        "inbound_seq": 3_000_000,
    }
    return Finding(
        Code.STALE_XFRM_STATE,
        Severity.CRITICAL,
        f"{destination} drops the IPsec packets from {source}: it has already seen"
        " number 3,000,000 under SPI 3, but it counts anew and has only reached 1,200.",
        source=source,
        destination=destination,
        spi=3,
        evidence={
            "outbound_oseq": 1200,
            "inbound_seq": 3_000_000,
            "failed_delta": 50,
            "dropped_total": 1250,
            "packets_until_healed": 2_998_800,
            "outbound_added": "2026-01-02T03:04:05Z",
            "inbound_added": "2026-01-01T03:04:05Z",
            "outbound_age_s": 7200.0,
            "samples": [
                {
                    "outbound_oseq": oseq,
                    "outbound_read": f"2026-01-02T05:04:{second}.250Z",
                    "inbound_seq": 3_000_000,
                    "inbound_read": f"2026-01-02T05:04:{second}.125Z",
                }
                for oseq, second in ((1150, "04"), (1200, "05"))
            ],
            "address_pairs": [tunnel, tunnel],
        },
        cause=Code.KVSTORE_LEASE_EXPIRED,
        runbook="kvstore-lease-expired",
    )


def diagnosis(pairs, unread=frozenset()):
    return Diagnosis(
        Verdict.STALE,
        tuple(stale(*pair) for pair in pairs),
        tuple(NodeReading(name, read=name not in unread) for name in NODES),
        tuple(f"{name}: its XFRM states were not read." for name in sorted(unread)),
        twice=True,
    )


def test_one_forgotten_node_is_one_cell():
    found = diagnosis((name, NODES[333]) for name in NODES if name != NODES[333])

    square = matrix(found)

    assert square.sources == ("node0000 and 998 more",)
    assert square.destinations == (NODES[333],)
    assert square.cells == ((Cell.STALE,),)
    assert (square.healthy, square.left_out) == (0, 0)


def test_a_few_broken_pairs_stand_among_healthy_nodes():
    found = diagnosis(
        [(NODES[1], NODES[2]), (NODES[5], NODES[2]), (NODES[2], NODES[1])]
    )

    square = matrix(found)

    assert square.sources == ("node0001", "node0002", "node0005")
    assert square.destinations == ("node0001", "node0002")
    assert square.cells == (
        (Cell.SAME, Cell.STALE),
        (Cell.STALE, Cell.SAME),
        (Cell.FINE, Cell.STALE),
    )
    assert square.healthy == 997
    assert "and 997 healthy nodes" in to_text(found)


def test_all_pairs_broken_are_one_cell():
    some = NODES[:100]
    found = diagnosis((a, b) for a in some for b in some if a != b)

    square = matrix(found)

    assert square.cells == ((Cell.STALE,),)
    assert square.healthy == 900


def test_unread_nodes_are_not_called_healthy():
    assert matrix(diagnosis([(NODES[1], NODES[2])], {NODES[8]})).healthy == 997


def test_what_has_no_room_is_counted():
    chain = [(NODES[i], NODES[i + 1]) for i in range(40)]

    square = matrix(diagnosis(chain))

    assert len(square.sources) == len(square.destinations) == 16
    assert square.left_out == 41 - 17
    assert f"and {41 - 17} more nodes with a broken pair" in to_text(diagnosis(chain))


@pytest.mark.parametrize("unread", [frozenset(), frozenset(NODES[500:])])
def test_reports_stay_small(unread):
    found = diagnosis(
        [(a, b) for a in NODES[:100] for b in NODES[:60] if a != b], unread
    )

    assert len(to_html(found).encode()) < 1_000_000
    assert len(to_text(found).splitlines()) < 500
