"""Any bytes are read the same both ways, or refused by both; nothing else happens."""

import contextlib
import os
import time
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.xfrm.columns import read_state_columns
from runbooks.xfrm.dump import parse_policies, parse_states
from runbooks.xfrm.monitor import parse_events
from runbooks.xfrm.wire import XfrmDumpError

from .conftest import RECORDINGS
from .replies import RECORDED, damaged, dumps
from .test_monitor import EVENTS

FUZZ_S = float(os.environ.get("SOAK_FUZZ_S", "600"))
#: What a coverage-guided fuzzer kept, one input a file.
CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
POLICIES = (RECORDINGS / "broken/n2/xfrm_getpolicy.nlmsg").read_bytes()
WHOLE = [*RECORDED, POLICIES, *(raw for raw, _ in EVENTS)]


def outcome(read, data):
    try:
        return [(astuple(state), state.key_bits) for state in read(data)]
    except XfrmDumpError:
        return "refused"


def judge(data):
    assert outcome(parse_states, data) == outcome(
        lambda one: read_state_columns(one).to_states(), data
    )
    for read in (parse_policies, parse_events):
        with contextlib.suppress(XfrmDumpError):
            assert isinstance(read(data), list)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_a_fuzzer_found_worth_keeping(path):
    judge(path.read_bytes())


@settings(deadline=None)
@given(damaged(dumps() | st.sampled_from(WHOLE)))
def test_any_bytes(data):
    judge(data)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_any_bytes_for_a_time(capsys):
    """``SOAK_FUZZ_S`` seconds of inputs that are never the same twice."""
    runs = 0

    @settings(
        max_examples=100,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(dumps() | st.sampled_from(WHOLE)))
    def batch(data):
        nonlocal runs
        runs += 1
        judge(data)

    until = time.monotonic() + FUZZ_S
    while time.monotonic() < until:
        batch()
    with capsys.disabled():
        print(f"\n{runs:,} inputs to the netlink decoders")
    assert runs
