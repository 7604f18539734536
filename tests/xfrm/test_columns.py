"""Both ways to read a dump give the same states, or refuse, on the same bytes."""

import subprocess
import sys
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.xfrm.columns import (
    HAS_ESN,
    HAS_MARK,
    ColumnReader,
    StateColumns,
    read_state_columns,
)
from runbooks.xfrm.columns.layouts import layout_of
from runbooks.xfrm.dump import parse_states
from runbooks.xfrm.wire import XfrmDumpError

from .replies import RECORDED, algorithm, damaged, dumps, state_reply

BODY = RECORDED[0][16 : 16 + 224]
KEY = bytes(range(36))


def outcome(read, data):
    """States with all of their fields, or that they were refused."""
    try:
        return [(astuple(state), state.key_bits) for state in read(data)]
    except XfrmDumpError:
        return "refused"


def by_columns(data):
    return read_state_columns(data).to_states()


@pytest.mark.parametrize("data", RECORDED)
def test_recorded_states_are_the_same_in_columns(data):
    columns = read_state_columns(data)

    assert len(columns) == len(data) // 520
    assert outcome(by_columns, data) == outcome(parse_states, data)
    assert columns.state(-1) == parse_states(data)[-1]


@pytest.mark.parametrize("data", RECORDED)
def test_recorded_states_need_no_declared_path(data, monkeypatch):
    monkeypatch.setattr(ColumnReader, "_declared", None)

    assert len(read_state_columns(data)) == len(data) // 520


@settings(deadline=None)
@given(dumps())
def test_any_dump_reads_the_same_both_ways(data):
    assert outcome(by_columns, data) == outcome(parse_states, data)


@settings(deadline=None)
@given(damaged(dumps() | st.sampled_from(RECORDED)))
def test_damaged_dump_reads_the_same_both_ways_or_is_refused_by_both(data):
    assert outcome(by_columns, data) == outcome(parse_states, data)


@settings(deadline=None, max_examples=30)
@given(st.lists(dumps(), max_size=4))
def test_dump_in_pieces_reads_as_in_one(pieces):
    in_pieces = outcome(lambda data: read_state_columns(data).to_states(), pieces)

    assert in_pieces == outcome(by_columns, b"".join(pieces))


def test_states_of_several_layouts_keep_the_kernels_order():
    plain = RECORDED[0][:520]
    two_keys = state_reply(
        BODY,
        [
            (20, algorithm("hmac(sha256)", KEY[:32], 128)),
            (1, algorithm("hmac(sha256)", KEY[:32])),
            (2, algorithm("cbc(aes)", KEY[4:20])),
            (10, bytes(12)),
        ],
    )
    odd = state_reply(BODY, [(77, b"new")])
    data = plain + odd + two_keys + plain + two_keys + odd

    columns = read_state_columns([data, plain, data])

    expected = parse_states(data + plain + data)
    assert columns.to_states() == expected
    assert [state.algorithm for state in expected[:3]] == [
        "rfc4106(gcm(aes))",
        None,
        "hmac(sha256)+cbc(aes)",
    ]
    assert len(columns.second_key_digest) == 32 * len(columns)
    assert layout_of(memoryview(two_keys)) is not None
    assert layout_of(memoryview(odd)) is None


def test_columns_are_memory_of_one_item_for_each_state():
    columns = read_state_columns(RECORDED[1])
    states = parse_states(RECORDED[1])

    assert columns.seq.tolist() == [state.seq for state in states]
    assert columns.spi.tolist() == [state.spi for state in states]
    assert {*columns.features} == {HAS_MARK | 2 | HAS_ESN}
    for name in StateColumns.__slots__[:-1]:
        column = getattr(columns, name)
        assert column.contiguous
        assert column.readonly
        size = {"source": 16, "destination": 16, "key_digest": 32}.get(name, 1)
        expected = 0 if name == "second_key_digest" else size * len(states)
        assert len(column) == expected, name


def test_columns_cannot_be_changed():
    columns = read_state_columns(RECORDED[0])

    with pytest.raises(AttributeError, match="read-only"):
        columns.seq = memoryview(b"")
    with pytest.raises(AttributeError, match="read-only"):
        del columns.seq
    with pytest.raises(TypeError):
        columns.seq[0] = 1
    with pytest.raises(IndexError):
        columns.state(8)


def test_no_states_are_no_states():
    columns = read_state_columns(b"")

    assert len(columns) == 0
    assert columns.to_states() == []
    assert {len(getattr(columns, name)) for name in columns.__slots__} == {0}


def test_columns_and_their_reader_keep_no_key():
    reader = ColumnReader()
    reader.extend(state_reply(BODY, [(18, algorithm("rfc4106(gcm(aes))", KEY, 128))]))
    columns = reader.columns()
    kept = [*map(memoryview, reader._memory.values())]
    kept += [*reader._algorithms]
    kept += [getattr(columns, name) for name in columns.__slots__]
    layouts = [one for known in reader._layouts.values() for one in known]
    kept += [getattr(layout, name) for layout in layouts for name in layout.__slots__]

    seen = b"".join(bytes(one) for one in kept if isinstance(one, memoryview))
    text = repr([one for one in kept if not isinstance(one, memoryview)])
    assert columns.state(0).key_hash == seen_hash(KEY)
    assert KEY not in seen
    assert KEY[4:12] not in seen
    assert repr(KEY[4:12])[2:-1] not in text
    assert KEY.hex() not in text + repr(columns)


def seen_hash(key):
    from runbooks.xfrm.model import hash_key_bytes

    return hash_key_bytes(key)


def test_fast_path_imports_neither_pyroute2_nor_what_is_slow_to_import():
    slow = "pyroute2 dataclasses typing hashlib inspect asyncio runbooks.xfrm.model"
    program = (
        "import sys, runbooks.xfrm.read_states\n"
        f"print(*[name for name in {slow.split()} if name in sys.modules])"
    )
    # -S: what the environment's own start imports is not ours.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
