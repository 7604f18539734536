"""What can be asked for as an amount."""

from types import SimpleNamespace

import pytest

from runbooks.lab.breaks.condition import Situation
from runbooks.lab.breaks.harmless import burst, packet_loss
from runbooks.lab.plan import LabError


class Asked:
    """A lab that remembers what it was asked for, and does it."""

    def __init__(self):
        self.requests = []

    def ask(self, operation, **request):
        self.requests.append((operation, request))

    def run(self, _node, argv):
        self.requests.append(argv)
        return SimpleNamespace(status=0)


def situation(amount):
    return Situation(Asked(), "node2", lambda _line: None, amount=amount)


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "many", "5%"])
def test_a_burst_is_a_number_of_packets(amount):
    asked = situation(amount)
    with pytest.raises(LabError, match="number of packets"):
        burst.make(asked)
    assert asked.client.requests == []


@pytest.mark.parametrize("amount", ["0", "0%", "100%", "-5", "much", "nan", "inf"])
def test_a_loss_is_a_share(amount):
    asked = situation(amount)
    with pytest.raises(LabError, match="more than 0% and less than 100%"):
        packet_loss.make(asked)
    assert asked.client.requests == []


@pytest.mark.parametrize(
    ("amount", "loss"), [("", "5%"), ("20%", "20%"), ("0.5", "0.5%")]
)
def test_a_loss_reaches_netem_as_it_was_asked_for(amount, loss):
    asked = situation(amount)
    packet_loss.make(asked)
    (argv,) = asked.client.requests
    assert argv[-2:] == ["loss", loss]


def test_a_burst_is_a_hundred_thousand_packets_unless_told():
    asked = situation("")
    burst.make(asked)
    (request,) = asked.client.requests
    assert request == ("traffic", {"action": "flood", "count": 100_000})
