"""The scripts that run inside an agent's pod, run by this machine's bash and awk."""

import dataclasses
import hashlib
from itertools import product

import pytest

from runbooks.collect.agent_exec import _COMPLAINTS
from runbooks.collect.node_files import NodeFile
from runbooks.collect.pod.answers import in_objects, read_answer
from runbooks.xfrm.brief import FailingState, StateAges, StateSums, parse_brief
from runbooks.xfrm.compact import CompactStates, parse_compact
from runbooks.xfrm.model import Direction, Mark, XfrmState
from runbooks.xfrm.text import parse_state_text
from tests.collect.pod.container import ADDRESS, parts
from tests.xfrm.render import VERSIONS, Style, render_state

KEY = bytes(range(20))
OWN, PEER = ADDRESS, "10.0.2.10"
INBOUND = XfrmState(
    source=PEER,
    destination=OWN,
    spi=3,
    reqid=1,
    mark=Mark(0x00020D00, 0xFFFF0F00),
    output_mark=Mark(0x0D00, 0xFFFFFF00),
    algorithm="rfc4106(gcm(aes))",
    icv_bits=128,
    esn=True,
    replay_window=1024,
    seq=4711,
    bytes=395724,
    packets=4711,
    added_s=1767322000,
    used_s=1767322010,
    replay_window_errors=0,
    replay_errors=0,
    integrity_errors=0,
)
OUTBOUND = dataclasses.replace(
    INBOUND,
    source=OWN,
    destination=PEER,
    mark=Mark(0x00023E00, 0xFFFFFF00),
    output_mark=Mark(0x0E00, 0xFFFFFF00),
    seq=0,
    oseq=0x1234567890ABCDEF,
)
LEGACY = dataclasses.replace(INBOUND, esn=False, replay_window=0, seq=0xFFFFFFFF)
TWO_KEYS = dataclasses.replace(
    OUTBOUND, algorithm="hmac(sha256)+cbc(aes)", icv_bits=96, oseq=(1 << 48) - 1
)
PLAIN_STYLE = Style()
KINDS = {
    "inbound": INBOUND,
    "outbound": OUTBOUND,
    "legacy": LEGACY,
    "two keys": TWO_KEYS,
    "failing": dataclasses.replace(INBOUND, integrity_errors=12, replay_errors=1),
    "huge": dataclasses.replace(
        OUTBOUND, oseq=2**64 - 1, packets=2**64 - 1, replay_window_errors=2**32 - 1
    ),
    "other number": dataclasses.replace(INBOUND, oseq=1 << 33),
    "last key ID": dataclasses.replace(
        OUTBOUND, spi=15, mark=Mark(0xFFFFFE00, 0xFFFFFF00)
    ),
    "IPv6": dataclasses.replace(INBOUND, source="fd00::2", destination="fd00::1"),
    "never used": dataclasses.replace(INBOUND, used_s=None),
    "leap day": dataclasses.replace(INBOUND, added_s=1709251199, used_s=951782400),
    "new kernel": dataclasses.replace(INBOUND, if_id=7, dir=Direction.IN),
    "not Cilium's": dataclasses.replace(INBOUND, mark=None),
    "no mark in a mask": dataclasses.replace(INBOUND, mark=Mark(0, 0xF00)),
    "no key ID": dataclasses.replace(INBOUND, spi=16),
    "no SPI": dataclasses.replace(INBOUND, spi=0x10000003),
}
PRODUCT = product((True, False), (True, False), (True, False))
STYLES = {
    f"{detailed} {own_line} {numbers} {key}": Style(
        detailed=detailed,
        output_mark_on_own_line=own_line,
        sequence_on_own_lines=numbers,
        key=key,
        words_per_line=4 if own_line else 8,
        unmasked_output_mark=own_line,
    )
    for detailed, own_line, numbers in PRODUCT
    for key in ("clear", "hashed", "hidden")
} | VERSIONS


def rendered(states, style=PLAIN_STYLE):
    return "".join(
        render_state(
            state,
            [bytes([number]) * 20 for number in range(state.algorithm.count("+") + 1)],
            style,
        )
        for state in states
    )


def test_pods_states_are_those_of_the_text_in_every_layout(node):
    for name, style in STYLES.items():
        text = rendered(KINDS.values(), style)

        found = parse_compact(parts(node("compact", text, "first"))["xfrm-compact"])

        assert found == CompactStates.of_states(parse_state_text(text)), name
        assert len(found) == len(KINDS) - 4
        assert found.others == 4


@pytest.mark.parametrize("kind", KINDS)
def test_one_state_alone_is_read_as_from_its_text(node, kind):
    text = rendered([KINDS[kind]])

    found = parse_compact(parts(node("compact", text, "first"))["xfrm-compact"])

    assert found == CompactStates.of_states(parse_state_text(text))


def test_many_distinct_keys_are_hashed_each(node):
    keys = [number.to_bytes(20, "big") for number in range(1, 251)]
    text = "".join(render_state(INBOUND, [key], Style()) for key in keys)

    found = parse_compact(parts(node("compact", text, "first"))["xfrm-compact"])

    expected = [hashlib.sha256(b"0x" + k.hex().encode()).hexdigest() for k in keys]
    assert [f"{key:016x}" for key in found.rows["key"].tolist()] == [
        digest[:16] for digest in expected
    ]


@pytest.mark.parametrize("name", ["compact", "brief"])
@pytest.mark.parametrize("sample", ["first", "second"])
def test_keys_stay_in_the_pod(node, tmp_path, name, sample):
    key = bytes.fromhex("feedface" * 5)
    text = render_state(INBOUND, [key], Style())
    before = {p for p in tmp_path.rglob("*") if p.name not in {"arguments", "dump"}}

    done = node(name, text, sample)

    arguments = tmp_path / "arguments"
    given = arguments.read_text() if arguments.exists() else ""
    assert "feedface" not in done.stdout + done.stderr + given
    assert bool(given) == (name == "compact" and sample == "first")
    left = {p for p in tmp_path.rglob("*") if p.name not in {"arguments", "dump"}}
    assert left == before


def test_second_sample_has_numbers_only(node):
    text = rendered([INBOUND])

    files = parts(node("compact", text, "second"))

    assert set(files) == {"date", "xfrm-compact", "cat--proc-net-xfrm_stat"}
    (row,) = parse_compact(files["xfrm-compact"]).rows
    assert (row["key"], row["seq"]) == (0, 4711)


def test_only_the_states_that_were_asked_for(node):
    other = dataclasses.replace(INBOUND, source="10.0.2.1")
    text = rendered([other, INBOUND, OUTBOUND])

    files = parts(node("compact", text, "first", f"10.9.9.9 {PEER}"))

    found = parse_compact(files["xfrm-compact"])
    assert found == CompactStates.of_states(
        parse_state_text(rendered([INBOUND, OUTBOUND]))
    )
    assert set(files) == {"date", "xfrm-compact", "cat--proc-net-xfrm_stat"}


@pytest.mark.parametrize("name", ["compact", "brief"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "a state is not complete"),
        (lambda text: text.replace("oseq 0x", "oseq 0y", 1), "a number is malformed"),
        (lambda text: text.replace("add 2026", "add then", 1), "a time is malformed"),
        (lambda text: text.replace("failed 0", "failed", 1), "a number is malformed"),
        (lambda text: text.split("\n", 1)[1], "this is no dump"),
        (lambda text: text.replace("seq-hi 0x0, ", "", 1), "a state is not complete"),
    ],
)
def test_dump_that_is_damaged_is_refused(node, name, damage, words):
    done = node(name, damage(rendered([OUTBOUND, INBOUND, OUTBOUND])), "first")

    assert f"xfrm-{name}" not in parts(done)
    assert words in dict(_COMPLAINTS.findall(done.stderr))[f"xfrm-{name}"]
    assert KEY.hex() not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["compact", "brief"])
def test_failing_ip_is_told(node, tmp_path, name):
    (tmp_path / "bin" / "ip").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")

    done = node(name, "", "first")

    assert f"xfrm-{name}" not in parts(done)
    assert "broken" in done.stderr


@pytest.mark.parametrize("name", ["compact", "brief"])
def test_answer_becomes_a_node(node, name):
    done = node(name, rendered([INBOUND, OUTBOUND]), "first")

    files = {kind: NodeFile(text) for kind, text in parts(done).items()}
    read = read_answer("n1", files)

    assert read.unread == ()
    assert read.agent.version == "1.18.1"
    assert read.agent.keys_in_use == 1
    assert read.boot_id
    assert read.clock_s
    assert read.counters["XfrmInNoStates"] >= 0
    if name == "compact":
        assert read.internal_ips == (OWN,)
        assert read.cilium_internal_ips == ("10.0.1.9",)
        assert len(read.compact) == 2
        assert len(in_objects(read, 2).states) == 2
        assert in_objects(read, 1) is read
    else:
        assert not read.states_read
        assert read.brief.states == 2


def test_sums_ages_and_failing_states(node):
    old, young = 1767322000, 1767329000
    states = [
        dataclasses.replace(
            INBOUND,
            source=f"10.0.{peer}.10",
            seq=peer,
            integrity_errors=peer if peer < 8 else 0,
            added_s=young if peer == 2 else old + peer,
        )
        for peer in range(2, 22)
    ]
    states.append(dataclasses.replace(OUTBOUND, added_s=old, oseq=(1 << 40) + 5))
    states.append(KINDS["not Cilium's"])

    brief = parse_brief(parts(node("brief", rendered(states), "first"))["xfrm-brief"])

    assert brief.sums == (
        StateSums(3, Direction.IN, 20, 20, 6, 0, 0, 27, sum(range(2, 22)), 21),
        StateSums(3, Direction.OUT, 1, 1, 0, 0, 0, 0, (1 << 40) + 5, (1 << 40) + 5),
    )
    assert brief.ages == (
        StateAges(3, young, young, 1),
        StateAges(3, old, old + 21, 20),
    )
    assert brief.failing[0] == FailingState(
        3, Direction.IN, "10.0.2.10", OWN, 0, 0, 2, young
    )
    assert len(brief.failing) == 4
    assert (brief.states, brief.others) == (21, 1)


def test_more_than_five_ages_are_one_last_line(node):
    states = [
        dataclasses.replace(INBOUND, added_s=1767322000 + 100 * number)
        for number in range(9)
    ]

    brief = parse_brief(parts(node("brief", rendered(states), "first"))["xfrm-brief"])

    newest = 1767322800
    assert [(a.newest_s, a.oldest_s, a.states) for a in brief.ages] == [
        *((newest - 100 * n, newest - 100 * n, 1) for n in range(4)),
        (newest - 400, newest - 800, 5),
    ]


def test_node_without_states_has_an_empty_answer(node):
    brief = parse_brief(parts(node("brief", "", "first"))["xfrm-brief"])
    compact = parse_compact(parts(node("compact", "", "first"))["xfrm-compact"])

    assert (brief.states, brief.sums, brief.newest_spi) == (0, (), None)
    assert len(compact) == 0


def test_states_of_a_thousand_peers_are_few_bytes(node):
    peers = 1000
    text = "".join(
        render_state(
            dataclasses.replace(
                state,
                source=state.source.replace("10.0.2.10", f"10.{n >> 8}.{n & 255}.10"),
                destination=state.destination.replace(
                    "10.0.2.10", f"10.{n >> 8}.{n & 255}.10"
                ),
                oseq=min(state.oseq, 1 << 40),
            ),
            [n.to_bytes(19, "big") + bytes([state.spi])],
            Style(),
        )
        for n in range(512, 512 + peers)
        for state in (INBOUND, OUTBOUND)
    )

    moved = {}
    for name in ("brief", "compact"):
        for sample in ("first", "second"):
            done = node(name, text, sample)
            moved[name, sample] = len(done.stdout) + len(done.stderr)

    assert len(text) > 2_000_000
    assert max(moved["brief", "first"], moved["brief", "second"]) <= 2048
    assert max(moved["compact", "first"], moved["compact", "second"]) <= 200 * peers
