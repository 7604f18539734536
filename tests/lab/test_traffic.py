"""What counts as sent: what the kernel took, and what it refused for good."""

import pytest

from runbooks.lab.guest.traffic import Receiver, Sender, Traffic


class Outlet:
    """A socket whose buffer has room for so many packets."""

    def __init__(self, room, error=None):
        self.room = room
        self.error = error
        self.numbers = []

    def sendto(self, packet, _target):
        if self.error is not None:
            raise self.error
        if not self.room:
            raise BlockingIOError
        self.room -= 1
        self.numbers.append(int.from_bytes(packet[:8]))


@pytest.fixture
def sender():
    made = Sender("192.0.2.1")
    made._socket.close()
    return made


def test_packets_that_find_no_room_are_sent_later_and_in_order(sender):
    sender._socket = outlet = Outlet(room=3)
    sender.send(5, run=1)
    assert (sender.sent, sender.refused) == (3, 0)
    outlet.room = 10
    sender.send(1, run=1)
    assert outlet.numbers == [1, 2, 3, 4, 5, 6]
    assert (sender.sent, sender.refused) == (6, 0)


def test_packets_that_the_kernel_refuses_count_as_sent(sender):
    sender._socket = Outlet(room=0, error=PermissionError())
    sender.send(4, run=1)
    assert (sender.sent, sender.refused) == (4, 4)


def test_a_packet_behind_the_highest_number_was_overtaken_and_a_double_was_not():
    receiver = Receiver()
    for number in (1, 3, 2, 3, 2, 4):
        receiver.take(number)
    assert (receiver.received, receiver.doubles, receiver.overtaken) == (4, 2, 1)


@pytest.fixture
def traffic(monkeypatch):
    monkeypatch.setattr("runbooks.lab.guest.traffic.PORT", 0)
    monkeypatch.setattr("runbooks.lab.guest.traffic._FLOOD_PORT", 0)
    made = Traffic()
    yield made
    made.close()


def test_a_flood_is_sent_in_slices_with_rests_between(traffic, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("runbooks.lab.guest.traffic.time.monotonic", lambda: now[0])
    flood = {"action": "flood", "peers": ["127.0.0.1"], "count": 100}
    assert traffic.answer(flood)["flood"] == {"127.0.0.1": 100}
    assert traffic.patience_s() == 0.0
    traffic.send_floods()
    traffic.send_floods()
    assert traffic.answer({"action": "report"})["flood"] == {"127.0.0.1": 100 - 64}
    now[0] += traffic.patience_s()
    traffic.send_floods()
    assert traffic.answer({"action": "report"})["flood"] == {"127.0.0.1": 0}
    assert traffic.patience_s() is None
