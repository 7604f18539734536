"""The picture of counters shows what a lab's kernels said."""

from __future__ import annotations

import json
import re
import sys

from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "pictures"))

from draw_counters import draw
from draw_demo import PICTURE as DEMO_PICTURE
from draw_demo import RECORD as DEMO
from draw_demo import draw as draw_demo
from draw_demo import picture_lines, transcript
from draw_sequence import PICTURE as SEQUENCE
from draw_sequence import draw as draw_sequence
from record_counters import RECORD, numbers

PAIR = ("10.20.1.73", "10.20.2.50")
DUMP = """\
src 10.20.2.50 dst 10.20.1.73
\tproto esp spi 0x00000003(3) reqid 1(0x00000001) mode tunnel
\tmark 0x46523e00/0xffffff00 output-mark 0xe00/0xffffff00
\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x14
src 10.20.1.73 dst 10.20.2.50
\tproto esp spi 0x00000003(3) reqid 1(0x00000001) mode tunnel
\tmark 0x46520d00/0xffff0f00 output-mark 0xd00/0xffffff00
\t seq-hi 0x1, seq 0x10, oseq-hi 0x0, oseq 0x0
src 10.20.1.73 dst 10.20.2.50
\tproto esp spi 0x0000000f(15) reqid 1(0x00000001) mode tunnel
\tmark 0x46520d00/0xffff0f00 output-mark 0xd00/0xffffff00
\t seq-hi 0x0, seq 0x2a, oseq-hi 0x0, oseq 0x0
"""


def test_receivers_numbers_are_read_by_spi_with_their_upper_half():
    assert numbers(DUMP, "in", PAIR) == {"3": 2**32 + 16, "15": 42}


def test_senders_number_is_the_outbound_one():
    assert numbers(DUMP, "out", PAIR[::-1]) == {"3": 20}


def test_state_of_the_other_direction_is_not_taken_for_it():
    assert numbers(DUMP, "out", PAIR) == {}


def test_record_shows_the_failure_and_its_end():
    samples = json.loads(RECORD.read_text(encoding="utf-8"))["samples"]
    stuck = [
        sample
        for sample in samples
        if any(
            sample["inbound"].get(spi, 0) > number > 0
            for spi, number in sample["outbound"].items()
        )
    ]
    assert stuck
    assert stuck[-1]["proto_errors"] > samples[0]["proto_errors"]
    last = samples[-1]
    assert last["proto_errors"] == samples[-5]["proto_errors"]
    assert last["inbound"].keys() == last["outbound"].keys()
    assert last["inbound"].keys() != samples[0]["inbound"].keys()


def test_picture_is_drawn_from_the_record(tmp_path):
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    draw(record, tmp_path / "counters.svg")
    picture = (tmp_path / "counters.svg").read_text(encoding="utf-8")
    for event in record["events"]:
        assert event["what"] in picture
    assert "SPI 3" in picture
    assert "SPI 4" in picture


def test_drawn_sequence_of_events_is_the_one_on_the_page():
    assert SEQUENCE.read_text(encoding="utf-8") == draw_sequence()


def test_picture_of_the_demo_is_drawn_from_the_record_that_the_site_plays():
    drawn = draw_demo(picture_lines(transcript(DEMO.read_text(encoding="utf-8"))))
    shown = DEMO_PICTURE.read_text(encoding="utf-8")
    words = [
        re.sub(r"<style.*?</style>|<[^>]+>", " ", svg, flags=re.S).split()
        for svg in (drawn, shown)
    ]
    assert words[0] == words[1]
    assert words[0].count("STALE") == 2
