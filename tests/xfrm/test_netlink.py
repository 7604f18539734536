"""The socket against a kernel that is played back."""

import errno
import socket
import struct

import pytest

from runbooks.xfrm.dump import parse_states
from runbooks.xfrm.model import Direction, Mark
from runbooks.xfrm.netlink import NewPolicy, NewState, XfrmError, XfrmSocket
from runbooks.xfrm.program import state_message
from runbooks.xfrm.wire import XfrmDumpError

from .conftest import RECORDINGS

ALIEN_SEQUENCE = 0xDEAD
MULTI, DUMP_INTERRUPTED, ACK_TLVS = 0x2, 0x10, 0x200
ERROR, DONE, OVERRUN, NEWSADINFO = 2, 3, 4, 0x22
NEWSA, DELSA, GETSA, UPDSA = 0x10, 0x11, 0x12, 0x1A
STATES = (RECORDINGS / "broken/n2/xfrm_getsa.nlmsg").read_bytes()
KEY = bytes(range(20))
MARK = Mark(0x168D3E00, 0xFFFFFF00)
STATE = NewState("10.0.0.1", "10.0.0.2", 3, "rfc4106(gcm(aes))", KEY, 128, MARK)


def message(kind, payload=b"", flags=0, sequence=None):
    """A reply; without a sequence number it gets that of the request."""

    def build(requested):
        number = requested if sequence is None else sequence
        return (
            struct.pack("=IHHII", 16 + len(payload), kind, flags, number, 0) + payload
        )

    return build


def acknowledgment(code=0, words=""):
    payload = struct.pack("=i", -code) + bytes(16)
    if words:
        text = words.encode() + b"\0"
        payload += struct.pack("=HH", 4 + len(text), 1) + text
        payload += bytes(-len(text) % 4)
    return message(ERROR, payload, ACK_TLVS if words else 0)


def found(mark):
    new = NewState("10.0.0.1", "10.0.0.2", 3, "rfc4106(gcm(aes))", KEY, 128, mark)
    encoded = state_message(new)
    encoded.encode()
    return message(NEWSA, bytes(encoded.data[16:]))


class Kernel:
    """Answers each request with the next of the replies given to it."""

    def __init__(self):
        self.replies = []
        self.requests = []
        self.waiting = []
        self.sender = 0
        self.opened = 0

    def open(self, *_):
        self.opened += 1
        return self

    def setsockopt(self, *_):
        pass

    def bind(self, _):
        pass

    def close(self):
        self.waiting = []

    def sendto(self, data, _):
        self.requests.append(bytes(data))
        (number,) = struct.unpack_from("=I", data, 8)
        for packet in self.replies.pop(0):
            if isinstance(packet, OSError):
                self.waiting.append(packet)
            else:
                self.waiting.append(b"".join(one(number) for one in packet))

    def recvmsg_into(self, targets):
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        data = self.waiting.pop(0)
        if isinstance(data, OSError):
            raise data
        cut = data[: len(targets[0])]
        targets[0][: len(cut)] = cut
        flags = socket.MSG_TRUNC if len(cut) < len(data) else 0
        return len(cut), [], flags, (self.sender, 0)

    def setting_memory_aside(self, count):
        """First of all a program asks how many there are."""
        payload = struct.pack("=IHHI", 0, 8, 1, count)
        self.replies.insert(0, [[message(NEWSADINFO, payload), acknowledgment()]])

    def kinds(self):
        return [struct.unpack_from("=H", request, 4)[0] for request in self.requests]


@pytest.fixture
def kernel(monkeypatch):
    played = Kernel()
    monkeypatch.setattr(socket, "socket", played.open)
    return played


def recorded_states(flags=0):
    packets = [STATES[i : i + 520] for i in range(0, 8 * 520, 520)]
    return [message(NEWSA, raw[16:], MULTI | flags) for raw in packets]


def test_dump_over_several_packets_is_read_to_its_end(kernel):
    first, *rest = recorded_states()
    kernel.replies = [[[first], rest, [message(DONE, bytes(4), MULTI)]]]

    with XfrmSocket() as xfrm:
        assert len(xfrm.states()) == 8
    assert kernel.kinds() == [GETSA]
    assert len(kernel.requests[0]) == 16  # A body would be taken for attributes.


def test_dump_that_a_change_interrupted_is_read_again(kernel):
    done = message(DONE, bytes(4), MULTI)
    interrupted = [*recorded_states()[:3], message(DONE, bytes(4), DUMP_INTERRUPTED)]
    kernel.replies = [[interrupted], [[*recorded_states(), done]]]

    with XfrmSocket() as xfrm:
        assert len(xfrm.states()) == 8


def test_states_that_never_stand_still_are_an_error(kernel):
    kernel.replies = [[[message(DONE, bytes(4), DUMP_INTERRUPTED)]]] * 9

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="changed") as refusal:
        xfrm.states()

    assert refusal.value.errno == errno.EAGAIN


def test_late_reply_to_an_earlier_request_is_passed_over(kernel):
    late = message(ERROR, struct.pack("=i", -errno.EEXIST), 0, ALIEN_SEQUENCE)
    kernel.replies = [[[late], [acknowledgment()]]]

    with XfrmSocket() as xfrm:
        xfrm.add_state(STATE)

    assert kernel.kinds() == [NEWSA]


def test_existing_state_is_told_from_other_refusals_and_named(kernel):
    kernel.replies = [
        [[acknowledgment(errno.EEXIST)]],
        [[acknowledgment(errno.ENOSYS, "Requested AEAD algorithm not found")]],
    ]

    with XfrmSocket() as xfrm:
        with pytest.raises(XfrmError, match="SPI 3: File exists") as exists:
            xfrm.add_state(STATE)
        with pytest.raises(XfrmError, match="AEAD algorithm not found") as unknown:
            xfrm.add_state(STATE)

    assert (exists.value.errno, unknown.value.errno) == (errno.EEXIST, errno.ENOSYS)
    for error in (exists.value, unknown.value):
        assert "10.0.0.1 -> 10.0.0.2" in str(error)
        assert KEY.hex() not in repr(error)


def test_state_is_deleted_when_the_kernel_means_the_same_one(kernel):
    kernel.replies = [[[found(MARK), acknowledgment()]], [[acknowledgment()]]]

    with XfrmSocket() as xfrm:
        xfrm.delete_state("10.0.0.2", 3, MARK)

    assert kernel.kinds() == [GETSA, DELSA]


def test_general_state_is_not_deleted_in_place_of_the_specific_one(kernel):
    kernel.replies = [[[found(Mark(0xE00, 0xF00)), acknowledgment()]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="0xe00/0xf00") as refusal:
        xfrm.delete_state("10.0.0.2", 3, MARK)

    assert refusal.value.errno == errno.ENOTUNIQ
    assert kernel.kinds() == [GETSA]


def test_deleting_a_state_that_is_not_there_is_told_as_such(kernel):
    kernel.replies = [[[acknowledgment(errno.ESRCH)]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="0x168d3e00") as refusal:
        xfrm.delete_state("10.0.0.2", 3, MARK)

    assert refusal.value.errno == errno.ESRCH


def test_flushing_nothing_is_no_error(kernel):
    kernel.replies = [[[acknowledgment(errno.ESRCH)]], [[acknowledgment(errno.ESRCH)]]]

    with XfrmSocket() as xfrm:
        xfrm.flush_states()
        xfrm.flush_policies()

    assert len(kernel.requests) == 2


def test_refused_policy_is_named(kernel):
    kernel.replies = [[[acknowledgment(errno.EPERM)]]]
    drop = NewPolicy("0.0.0.0/0", "0.0.0.0/0", Direction.OUT, mark=Mark(0xE00, 0xF00))

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="0xe00/0xf00") as refusal:
        xfrm.update_policy(drop)

    assert refusal.value.errno == errno.EPERM


def test_silent_kernel_is_an_error_and_not_a_hang(kernel):
    kernel.replies = [[]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="no answer") as refusal:
        xfrm.policies()

    assert refusal.value.errno == errno.ETIMEDOUT


def test_kernel_without_xfrm_is_named(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(socket, "socket", refuse)

    with pytest.raises(XfrmError, match="xfrm_user") as refusal:
        XfrmSocket()

    assert refusal.value.errno == errno.EPROTONOSUPPORT


def done(code=0, flags=MULTI):
    return message(DONE, struct.pack("=i", -code), flags)


LOST = OSError(errno.ENOBUFS, "No buffer space available")


def test_dump_that_lost_messages_is_read_again_on_a_fresh_socket(kernel):
    kernel.replies = [
        [recorded_states()[:3], LOST],
        [[*recorded_states()], [done()]],
    ]

    with XfrmSocket() as xfrm:
        assert len(xfrm.states()) == 8
    assert kernel.kinds() == [GETSA, GETSA]
    assert kernel.opened == 2


def test_columns_of_an_interrupted_dump_hold_each_state_once(kernel):
    interrupted = [*recorded_states()[:3], done(flags=MULTI | DUMP_INTERRUPTED)]
    kernel.replies = [[interrupted], [[*recorded_states(), done()]]]
    kernel.setting_memory_aside(8)

    with XfrmSocket() as xfrm:
        columns = xfrm.state_columns()

    assert columns.to_states() == parse_states(STATES)


def test_interruption_is_noticed_on_any_message_of_a_dump(kernel):
    first = recorded_states(DUMP_INTERRUPTED)
    kernel.replies = [[first, [done()]], [[*recorded_states()], [done()]]]

    with XfrmSocket() as xfrm:
        assert len(xfrm.states()) == 8
    assert kernel.kinds() == [GETSA, GETSA]


@pytest.mark.parametrize(
    "loss", [LOST, [done(errno.ENOBUFS)], [message(OVERRUN, bytes(4))]]
)
def test_dump_that_always_loses_messages_is_an_error(kernel, loss):
    kernel.replies = [[recorded_states()[:3], loss]] * 9

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="lost") as refusal:
        xfrm.states()

    assert refusal.value.errno == errno.ENOBUFS
    assert len(kernel.requests) == 5


def test_dump_that_fails_half_way_is_an_error(kernel):
    kernel.replies = [[recorded_states()[:3], [done(errno.ENOMEM)]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmError) as refusal:
        xfrm.states()

    assert refusal.value.errno == errno.ENOMEM


def test_dump_without_an_end_is_an_error(kernel):
    kernel.replies = [[recorded_states()]]
    kernel.setting_memory_aside(8)

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="no answer") as refusal:
        xfrm.state_columns()

    assert refusal.value.errno == errno.ETIMEDOUT


@pytest.mark.parametrize("length", [1, 15, 17, 300, 519])
def test_short_read_is_refused(kernel, length):
    kernel.replies = [[[lambda _: STATES[:length]]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmDumpError):
        xfrm.states()


def test_empty_read_is_an_error(kernel):
    kernel.replies = [[[]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="empty"):
        xfrm.states()


def test_answer_longer_than_the_buffer_is_an_error_and_not_half_believed(kernel):
    kernel.replies = [[recorded_states() * 16, [done()]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="65536") as refusal:
        xfrm.states()

    assert refusal.value.errno == errno.EMSGSIZE


def test_answer_of_another_program_is_passed_over(kernel):
    kernel.replies = [[[*recorded_states(), done()]]]
    kernel.sender = 4711

    with XfrmSocket() as xfrm, pytest.raises(XfrmError, match="no answer"):
        xfrm.states()


def test_late_dump_of_an_earlier_request_is_passed_over(kernel):
    late = [message(NEWSA, STATES[16:520], MULTI, ALIEN_SEQUENCE)] * 2
    mixed = [late[0], *recorded_states(), message(DONE, bytes(4), MULTI)]
    kernel.replies = [[late, mixed]]
    kernel.setting_memory_aside(8)

    with XfrmSocket() as xfrm:
        assert len(xfrm.state_columns()) == 8


def test_large_dump_comes_whole_through_the_small_buffer(kernel):
    datagrams = [recorded_states() * 7] * 40
    kernel.replies = [[*datagrams, [done()]]] * 2
    kernel.setting_memory_aside(8)

    with XfrmSocket() as xfrm:
        columns = xfrm.state_columns()
        states = xfrm.states()

    assert len(columns) == len(states) == 8 * 7 * 40
    assert columns.to_states() == states


def test_error_cut_short_is_refused(kernel):
    kernel.replies = [[[message(ERROR, b"\0\0")]]]

    with XfrmSocket() as xfrm, pytest.raises(XfrmDumpError, match="cut short"):
        xfrm.flush_states()


def test_state_that_the_kernel_would_take_is_read(kernel):
    kernel.replies = [[[found(MARK), acknowledgment()]], [[acknowledgment()]]]

    with XfrmSocket() as xfrm:
        assert xfrm.state("10.0.0.2", 3, MARK).mark == MARK
        with pytest.raises(XfrmError, match="empty"):
            xfrm.state("10.0.0.2", 3, MARK)


def test_state_is_updated_and_named_where_there_is_none(kernel):
    kernel.replies = [[[acknowledgment()]], [[acknowledgment(errno.ESRCH)]]]

    with XfrmSocket() as xfrm:
        xfrm.update_state(STATE)
        with pytest.raises(XfrmError, match=r"10\.0\.0\.1 -> 10\.0\.0\.2") as refusal:
            xfrm.update_state(STATE)

    assert kernel.kinds() == [UPDSA, UPDSA]
    assert refusal.value.errno == errno.ESRCH
