"""News of a kernel that is played back."""

import errno
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.xfrm import uapi
from runbooks.xfrm.dump import parse_policies, parse_states
from runbooks.xfrm.monitor import XfrmEvent, XfrmMonitor, parse_events
from runbooks.xfrm.wire import XfrmDumpError, XfrmError

from .conftest import RECORDINGS
from .replies import RECORDED, attribute, damaged

STATE = RECORDED[0][:520]
POLICY = (RECORDINGS / "broken/n2/xfrm_getpolicy.nlmsg").read_bytes()[:264]
(READ_STATE,) = parse_states(STATE)
(READ_POLICY,) = parse_policies(POLICY)


def news(kind, *parts):
    body = b"".join(parts)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def state_gone():
    """DELSA: which one, all of it in an attribute, then its other attributes."""
    identity = STATE[16 + 56 : 16 + 76] + struct.pack("=HBx", 2, 50)
    return news(uapi.XFRM_MSG_DELSA, identity, attribute(6, STATE[16:240]), STATE[240:])


def policy_gone():
    identity = POLICY[16 : 16 + 56] + bytes(8)
    return news(
        uapi.XFRM_MSG_DELPOLICY, identity, attribute(7, POLICY[16:184]), POLICY[184:]
    )


EVENTS = [
    (news(uapi.XFRM_MSG_NEWSA, STATE[16:]), XfrmEvent("state-added", READ_STATE)),
    (news(uapi.XFRM_MSG_UPDSA, STATE[16:]), XfrmEvent("state-updated", READ_STATE)),
    (state_gone(), XfrmEvent("state-deleted", READ_STATE)),
    (
        news(uapi.XFRM_MSG_EXPIRE, STATE[16:240], b"\1" + bytes(7), STATE[240:]),
        XfrmEvent("state-expired", READ_STATE, hard=True),
    ),
    (news(uapi.XFRM_MSG_FLUSHSA, bytes(4)), XfrmEvent("states-flushed")),
    (
        news(uapi.XFRM_MSG_NEWPOLICY, POLICY[16:]),
        XfrmEvent("policy-added", policy=READ_POLICY),
    ),
    (policy_gone(), XfrmEvent("policy-deleted", policy=READ_POLICY)),
    (
        news(uapi.XFRM_MSG_POLEXPIRE, POLICY[16:184], bytes(8), POLICY[184:]),
        XfrmEvent("policy-expired", policy=READ_POLICY, hard=False),
    ),
    (news(uapi.XFRM_MSG_FLUSHPOLICY), XfrmEvent("policies-flushed")),
    (news(uapi.XFRM_MSG_NEWAE, bytes(48)), XfrmEvent("state-counted")),
    (news(uapi.XFRM_MSG_ACQUIRE, bytes(280)), XfrmEvent("state-wanted")),
    (news(uapi.XFRM_MSG_MAPPING, bytes(64)), XfrmEvent("state-moved")),
    (news(uapi.XFRM_MSG_MIGRATE, bytes(64)), XfrmEvent("policy-migrated")),
    (news(uapi.XFRM_MSG_REPORT, bytes(60)), XfrmEvent("reported")),
]


@pytest.mark.parametrize(("raw", "event"), EVENTS, ids=[e.kind for _, e in EVENTS])
def test_each_kind_of_news_is_read(raw, event):
    assert parse_events(raw) == [event]


def test_news_of_a_type_that_no_kernel_had_yet_is_passed_over():
    unknown = news(0x60, b"anything")

    assert parse_events(unknown + EVENTS[0][0] + unknown) == [EVENTS[0][1]]


def test_error_is_no_news():
    with pytest.raises(XfrmDumpError, match="type 0x2"):
        parse_events(news(uapi.NLMSG_ERROR, bytes(20)))


def test_deletion_without_what_is_deleted_is_refused():
    with pytest.raises(XfrmDumpError, match="XFRMA_SA is missing"):
        parse_events(news(uapi.XFRM_MSG_DELSA, bytes(24)))


@settings(deadline=None)
@given(damaged(st.sampled_from([raw for raw, _ in EVENTS])))
def test_damaged_news_raises_nothing_but_its_own_error(data):
    try:
        found = parse_events(data)
    except XfrmDumpError:
        return
    assert all(isinstance(event, XfrmEvent) for event in found)


class Kernel:
    """Says what it is given to say, then nothing."""

    def __init__(self, said):
        self.said = said
        self.groups = []
        self.closed = False

    def setsockopt(self, level, option, value):
        if (level, option) == (uapi.SOL_NETLINK, uapi.NETLINK_ADD_MEMBERSHIP):
            self.groups.append(value)

    def settimeout(self, _):
        pass

    def bind(self, _):
        pass

    def close(self):
        self.closed = True

    def recvmsg_into(self, targets):
        if not self.said:
            raise TimeoutError("timed out")
        said = self.said.pop(0)
        if isinstance(said, OSError):
            raise said
        targets[0][: len(said)] = said
        return len(said), [], 0, (0, 4)


@pytest.fixture
def kernel(monkeypatch):
    played = Kernel([])
    monkeypatch.setattr(socket, "socket", lambda *_: played)
    return played


def test_monitor_tells_of_changes_until_none_comes(kernel):
    kernel.said = [raw for raw, _ in EVENTS[:2]] + [EVENTS[2][0] + EVENTS[4][0]]

    with XfrmMonitor() as monitor:
        found = [event.kind for event in monitor.events(within_s=1)]

    assert found == ["state-added", "state-updated", "state-deleted", "states-flushed"]
    assert kernel.groups == [3, 4, 2]
    assert kernel.closed


def test_lost_news_is_told_and_the_rest_follows(kernel):
    lost = OSError(errno.ENOBUFS, "No buffer space available")
    kernel.said = [EVENTS[0][0], lost, EVENTS[1][0]]

    with XfrmMonitor() as monitor:
        events = monitor.events(within_s=1)
        assert next(events) == EVENTS[0][1]
        with pytest.raises(XfrmError) as loss:
            next(events)
        assert [event.kind for event in monitor.events(within_s=1)] == ["state-updated"]

    assert loss.value.errno == errno.ENOBUFS
