"""How fast ``ip -s xfrm state`` of a large cluster's node is read."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace

import pytest

from runbooks.xfrm.model import Mark, XfrmState
from runbooks.xfrm.text import parse_state_text
from runbooks.xfrm.text.states import parse_state_lines
from tests.measurements import spread, write_table
from tests.xfrm.render import Style, render_state

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
STATES = 20_000
FULL_WINDOW = "\t " + "ffffffff " * 8 + "\n"


def made_up(rng: random.Random, place: int) -> XfrmState:
    """Every fourth place begins another peer: two addresses, both ways."""
    peer, kind = divmod(place, 4)
    own, theirs = f"10.{kind // 2}.0.1", f"10.{kind // 2}.{peer >> 8}.{peer & 255}"
    inbound = kind % 2 == 0
    number = rng.randrange(1 << 32)
    node_id = (peer * 40503 + 1) & 0xFFFF
    action, mask = (0xD00, 0xFFFF0F00) if inbound else (0x3E00, 0xFFFFFF00)
    return XfrmState(
        source=theirs if inbound else own,
        destination=own if inbound else theirs,
        spi=3,
        reqid=1,
        mark=Mark(node_id << 16 | action, mask),
        output_mark=Mark(action & 0xF00, 0xFFFFFF00),
        algorithm="rfc4106(gcm(aes))",
        icv_bits=128,
        esn=True,
        replay_window=1024,
        seq=number if inbound else 0,
        oseq=0 if inbound else number,
        bytes=number * 84,
        packets=number,
        added_s=1_800_000_000 + rng.randrange(600),
        used_s=1_800_100_000 + rng.randrange(600),
        replay_window_errors=0,
        replay_errors=0,
        integrity_errors=0,
    )


def dump(states: int, key: str) -> str:
    """A dump in which no two keys, numbers or inbound windows are the same."""
    rng = random.Random(1)
    style = replace(Style(), key=key)
    texts = []
    for place in range(states):
        text = render_state(made_up(rng, place), [rng.randbytes(20)], style)
        window = "\t " + "".join(f"{rng.getrandbits(32):08x} " for _ in range(8)) + "\n"
        if place % 2:
            window = "\t " + "00000000 " * 8 + "\n"
        texts.append(text.replace(FULL_WINDOW, window))
    return "".join(texts)


def megabytes_per_s(read, text: str) -> float:
    began = time.process_time()
    read(text)
    return len(text) / 1e6 / (time.process_time() - began)


def test_text_of_20_000_states():
    rows = []
    for title, key in (("hashed keys", "hashed"), ("keys in clear", "clear")):
        text = dump(STATES, key)
        assert len(parse_state_text(text)) == STATES
        assert parse_state_text(text) == parse_state_lines(text)
        fast, slow = [], []
        for _ in range(ROUNDS):
            fast.append(megabytes_per_s(parse_state_text, text))
            slow.append(megabytes_per_s(parse_state_lines, text))
        ratios = [f / s for f, s in zip(fast, slow, strict=True)]
        rows += [
            (
                f"{STATES:,} states, {title} ({len(text) / 1e6:.1f} MB)",
                spread(fast, "MB/s"),
            ),
            (f"The same, seconds for all {STATES:,}", spread(_seconds(fast, text))),
            (f"Line reader, {title}", spread(slow, "MB/s")),
            (f"Ratio, {title}", spread(ratios, "times")),
        ]
    write_table(
        "text",
        "Reading the text of 20,000 states",
        f"``make bench``: what ``ip -s xfrm state`` prints on a node with {STATES:,}"
        " states of replay window 1024, from text to finished states with their keys"
        " hashed; no two keys, numbers or inbound windows are the same. Beside it, in"
        " turns on the same text, the line reader that judges every dump of another"
        f" layout. {ROUNDS} rounds in CPU time. Work on other cores costs memory and"
        " caches, so that the best round is nearest to what an idle machine does: the"
        f" load average was {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores.",
        ("What", "Median (range)"),
        rows,
    )


def _seconds(rates: list[float], text: str) -> list[float]:
    return [len(text) / 1e6 / rate for rate in rates]
