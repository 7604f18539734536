"""A break that can't be made says so before it touches anything."""

import pytest

from runbooks.lab.breaks import Situation, break_for
from runbooks.lab.breaks.failing import (
    other_internal_ip,
    rotation_too_fast,
    sequence_exhausted,
)
from runbooks.lab.plan import Lab, LabError


class Untouched:
    """A lab that nobody asks for anything."""

    def __init__(self, **options):
        self.lab = Lab("lab", **options)


def situation(amount="", **options):
    return Situation(Untouched(**options), "node2", print, amount=amount)


def test_numbers_run_out_only_where_they_have_an_end():
    with pytest.raises(LabError, match="lab up --name legacy --legacy-sa"):
        break_for(Lab("lab"), "sequence-exhausted")
    assert break_for(Lab("lab", legacy_sa=True), "sequence-exhausted").legacy


@pytest.mark.parametrize("amount", ["-1", "few", str(1 << 32)])
def test_no_number_of_packets_is_refused(amount):
    with pytest.raises(LabError, match="no number of packets below 2\\^32"):
        sequence_exhausted.make(situation(amount))


@pytest.mark.parametrize(
    ("amount", "complaint"),
    [("soon", "no number of seconds"), ("8", "give more seconds")],
)
def test_a_key_that_is_not_late_is_refused(amount, complaint):
    with pytest.raises(LabError, match=complaint):
        rotation_too_fast.make(situation(amount))


def test_another_internal_ip_is_refused_where_it_stops_nothing():
    with pytest.raises(LabError, match="--datapath native"):
        other_internal_ip.make(situation(mode="crd", datapath="tunnel"))


@pytest.mark.parametrize("how", ["delete-cluster", "Restart"])
def test_a_way_that_is_not_there_is_refused_with_those_that_are(how):
    with pytest.raises(LabError, match="--how is restart or label-node or"):
        break_for(Lab("lab", mode="crd"), "ciliumnode-recreated", how=how)
