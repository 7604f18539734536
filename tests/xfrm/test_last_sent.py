"""The message that sets the last number that a state has sent."""

import pytest

from runbooks.xfrm.messages import StateEventMessage
from runbooks.xfrm.model import Mark, XfrmState
from runbooks.xfrm.program import last_sent_message

STATE = XfrmState("10.20.2.50", "10.20.1.73", 3, mark=Mark(0x53E00, 0xFFFFFF00))


def test_it_names_one_state_and_carries_the_number():
    message = last_sent_message(STATE, 0xFFFFFFFE)
    message.encode()
    read = StateEventMessage(message.data)
    read.decode()
    assert read["daddr"][:4] == bytes([10, 20, 1, 73])
    assert read["saddr"][:4] == bytes([10, 20, 2, 50])
    assert (read["spi"], read["proto"]) == (3, 50)
    replay = read.attribute("XFRMA_REPLAY_VAL")
    assert (replay["oseq"], replay["seq"]) == (0xFFFFFFFE, 0)
    mark = read.attribute("XFRMA_MARK")
    assert (mark["v"], mark["m"]) == (0x53E00, 0xFFFFFF00)


def test_extended_sequence_numbers_have_no_end_to_be_set():
    state = XfrmState("10.20.2.50", "10.20.1.73", 3, esn=True)
    with pytest.raises(ValueError, match="has extended sequence numbers"):
        last_sent_message(state, 1)
