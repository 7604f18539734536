"""Frames of SPDY."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.lab.kubeapi.spdy import (
    DICTIONARY,
    FIN,
    Control,
    DataFrame,
    Framing,
    GoAwayFrame,
    PingFrame,
    ResetFrame,
    SpdyError,
    StreamFrame,
    content_frame,
    control,
    ping,
)


class Peer:
    """The other end, which opens streams."""

    def __init__(self):
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream, headers):
        plain = struct.pack(">I", len(headers))
        for pair in headers.items():
            for word in pair:
                plain += struct.pack(">I", len(word)) + word.encode()
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return control(Control.SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + block)


def test_the_dictionary_is_the_one_of_the_protocol():
    # The checksum that every SPDY/3 header block begins with on the wire.
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@given(size=st.integers(1, 100))
def test_frames_are_found_however_they_are_cut(size):
    peer = Peer()
    wire = (
        peer.open(1, {"Streamtype": "error"})
        + peer.open(3, {"streamtype": "stdin"})
        + control(Control.SETTINGS, bytes(4))
        + content_frame(3, b"typed")
        + content_frame(3, b"", is_last=True)
        + control(Control.RST_STREAM, struct.pack(">II", 3, 5))
        + ping(7)
        + control(Control.GOAWAY, bytes(8))
    )
    framing = Framing()
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    assert [frame for piece in pieces for frame in framing.feed(piece)] == [
        StreamFrame(1, {"streamtype": "error"}, is_last=False),
        StreamFrame(3, {"streamtype": "stdin"}, is_last=False),
        DataFrame(3, b"typed", is_last=False),
        DataFrame(3, b"", is_last=True),
        ResetFrame(3),
        PingFrame(7),
        GoAwayFrame(),
    ]


def test_a_reply_can_be_read_by_the_other_end():
    framing, other = Framing(), Framing()
    wire = framing.reply(1) + framing.reply(3) + ping(1)
    assert list(other.feed(wire)) == [PingFrame(1)]


def test_the_last_frame_of_a_stream_says_so():
    assert content_frame(5, b"ab", is_last=True) == struct.pack(
        ">IBBH2s", 5, FIN, 0, 2, b"ab"
    )


@pytest.mark.parametrize(
    "wire",
    [
        struct.pack(">HHI", 0x8002, 1, 0),
        control(Control.SYN_STREAM, bytes(10) + b"not compressed"),
    ],
)
def test_what_is_not_spdy_is_refused(wire):
    with pytest.raises(SpdyError):
        list(Framing().feed(wire))
