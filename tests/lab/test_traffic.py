"""What counts as sent: what the kernel took, and what it refused for good."""

import pytest

from runbooks.lab.guest.traffic import Sender


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
