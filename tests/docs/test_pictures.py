"""The site's pictures: true to what was recorded, and readable where they are shown."""

from __future__ import annotations

import json
import re
import sys
from xml.etree import ElementTree

import pytest

from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs"))
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

import drawn_pictures
from pictures.canvas import COLORS, width_of, wrap
from pictures.catalogue import HERE, draw_all
from pictures.counters import moments, stretches
from pictures.pair_matrix import stale_pairs
from pictures.record_counters import numbers
from pictures.timeline import read_timeline

PICTURES = draw_all()
RECORDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in HERE.glob("recorded/*.json")
}
TIMELINES = {path.stem: path for path in HERE.glob("timelines/*.yml")}
SVG = "{http://www.w3.org/2000/svg}"

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


def words_of(picture: str) -> str:
    """All text of a picture, as a reader meets it."""
    texts = ElementTree.fromstring(picture).iter(f"{SVG}text")
    return " ".join("".join(text.itertext()) for text in texts)


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    shares = (int(color[n : n + 2], 16) / 255 for n in (1, 3, 5))
    linear = [
        s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_receivers_numbers_are_read_by_spi_with_their_upper_half():
    assert numbers(DUMP, "in", PAIR) == {"3": 2**32 + 16, "15": 42}


def test_senders_number_is_the_outbound_one():
    assert numbers(DUMP, "out", PAIR[::-1]) == {"3": 20}


def test_state_of_the_other_direction_is_not_taken_for_it():
    assert numbers(DUMP, "out", PAIR) == {}


@pytest.mark.parametrize("name", RECORDS)
def test_record_shows_the_failure_and_its_end(name):
    samples = RECORDS[name]["samples"]
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


@pytest.mark.parametrize("name", RECORDS)
def test_recorded_checks_name_the_cause_and_its_end(name):
    checks = RECORDS[name]["checks"]
    assert {f["cause"] for f in checks["broken"]["findings"]} == {name}
    assert checks["healed"]["verdict"] == "healthy"


@pytest.mark.parametrize("name", RECORDS)
def test_counters_name_every_moment_and_both_keys(name):
    shown = words_of(PICTURES[f"{name}-counters.svg"])
    assert "A key rotation starts." in shown
    assert "SPI 3" in shown
    assert "SPI 4" in shown


def test_line_breaks_where_a_state_is_made_anew():
    samples = [
        {"t_s": 1, "outbound": {"3": 50}},
        {"t_s": 2, "outbound": {"3": 60}},
        {"t_s": 3, "outbound": {"3": 4}},
        {"t_s": 4, "outbound": {}},
        {"t_s": 5, "outbound": {"3": 7}},
    ]
    assert stretches(samples, "outbound", "3") == [
        [(1, 50), (2, 60)],
        [(3, 4)],
        [(5, 7)],
    ]


def test_moment_that_the_lab_never_spoke_of_is_refused():
    record = {"events": [{"t_s": 3.0, "said": "the agent of node2 goes down"}]}
    assert moments(record, {"the agent of node2": "down"}) == [(3.0, "down")]
    with pytest.raises(ValueError, match="node9"):
        moments(record, {"the agent of node9": "down"})


@pytest.mark.parametrize("name", RECORDS)
def test_squares_show_the_stale_pairs_that_the_check_reported(name):
    broken = RECORDS[name]["checks"]["broken"]
    shown = words_of(PICTURES[f"{name}-pairs.svg"])
    assert shown.count("STALE") == len(stale_pairs(broken)) > 0
    assert shown.count("ok") == 12 - len(stale_pairs(broken))


def test_window_ends_at_the_number_that_was_received():
    finding = RECORDS["kvstore-lease-expired"]["checks"]["broken"]["findings"][0]
    seq = finding["evidence"]["inbound_seq"]
    shown = words_of(PICTURES["replay-window.svg"])
    assert f"1 to {seq - 1024:,}" in shown
    assert f"{seq - 1023:,} to {seq:,}" in shown
    assert f"{seq + 1:,} and above" in shown


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline_says_every_event_of_its_description(name):
    shown = words_of(PICTURES[f"{name}-events.svg"])
    for event in read_timeline(TIMELINES[name]).events:
        assert event.text.replace("`", "") in shown


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({"at": "node9", "text": "x"}, "no such lane"),
        ({"at": "node1", "to": "node9", "text": "x"}, "no such lane"),
        ({"at": "node1", "kind": "loud", "text": "x"}, "unknown kind"),
        ({"at": "node1", "then": "gone", "text": "x"}, "unknown kind"),
    ],
)
def test_description_that_names_what_there_is_not_is_refused(tmp_path, event, fault):
    path = tmp_path / "wrong.yml"
    described = {"title": "t", "lanes": {"node1": "node1"}, "events": [event]}
    path.write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ValueError, match=fault):
        read_timeline(path)


def test_lines_fit_their_room_and_code_stays_code():
    lines = wrap("its `oseq` is 0 while `XfrmInStateProtoError` rises there", 180)
    assert len(lines) > 1
    assert all(width_of(line) <= 180 and line.count("`") % 2 == 0 for line in lines)
    assert " ".join(lines).replace("`", "").split()[3:5] == ["0", "while"]
    with pytest.raises(ValueError, match="no room"):
        wrap("`XfrmInStateProtoError`", 100)


@pytest.mark.parametrize("name", PICTURES)
def test_letters_stay_inside_the_picture(name):
    picture = ElementTree.fromstring(PICTURES[name])
    width, height = float(picture.get("width")), float(picture.get("height"))
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}
    for text in picture.iter(f"{SVG}text"):
        size = float(text.get("font-size"))
        broad = sum(
            width_of(f"`{part.text}`" if part.tag != text.tag else part.text, size)
            + width_of(part.tail or "" if part is not text else "", size)
            for part in text.iter()
            if part.text
        )
        left = float(text.get("x")) - share[text.get("text-anchor", "start")] * broad
        assert left >= 0, text.text
        assert left + broad <= width, text.text
        assert size < float(text.get("y")) < height, text.text


@pytest.mark.parametrize("name", PICTURES)
def test_picture_needs_nothing_from_elsewhere(name):
    assert not re.search(r"href|url\(|@font-face|@import|<script", PICTURES[name])


def test_pictures_come_out_the_same_each_time():
    assert draw_all() == PICTURES


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_ink_reads_on_the_paper(scheme):
    for ink in COLORS.keys() - {"paper", "tint", "line"}:
        for paper in ("paper", "tint"):
            pair = (luminance(COLORS[c][scheme]) for c in (ink, paper))
            dark, light = sorted(pair)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def test_picture_that_has_not_changed_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_pictures, "IMAGES", tmp_path)
    drawn_pictures.draw(None)
    path = tmp_path / "key-path.svg"
    first = path.stat().st_ino
    (tmp_path / "replay-window.svg").write_text("old", encoding="utf-8")
    drawn_pictures.draw(None)
    assert path.stat().st_ino == first
    drawn = (tmp_path / "replay-window.svg").read_text(encoding="utf-8")
    assert drawn == PICTURES["replay-window.svg"]
