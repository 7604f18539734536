import datetime
import subprocess
import sys
import time

import pytest

from runbooks.lab.kubeapi import Fault
from runbooks.rotation.errors import LockLostError, RefusedError
from runbooks.rotation.lock import LEASE_NAME, Holder, Lock, Renewal, surely_dead

ME = Holder("me@here:1", "")
OTHER = Holder("other@there:2", "elsewhere/pid:[1]/2/3")


class FakeClock:
    def __init__(self, at_sleep=lambda: None):
        self.now = 0.0
        self.at_sleep = at_sleep

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.at_sleep()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def lock_of(api, clock):
    cluster = api.connect()
    return lambda holder: Lock(cluster, holder, 60, clock=clock, sleep=clock.sleep)


def lease(fleet):
    return fleet.store.get("leases.coordination.k8s.io", LEASE_NAME, "kube-system")


def age(fleet, seconds):
    """Make the Lease look as if it was renewed some seconds ago."""
    found = lease(fleet)
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
    found["spec"]["renewTime"] = f"{then:%Y-%m-%dT%H:%M:%S.%fZ}"
    fleet.store.update(found)


def test_lock_names_its_holder(fleet, lock_of):
    assert lock_of(ME).acquire() is None
    assert lease(fleet)["spec"]["holderIdentity"] == "me@here:1"
    assert lease(fleet)["spec"]["leaseDurationSeconds"] == 60


def test_second_run_stops_and_names_the_first(lock_of):
    lock_of(OTHER).acquire()
    with pytest.raises(RefusedError, match="other@there:2 holds Lease"):
        lock_of(ME).acquire()


def test_holder_may_take_its_own_lock_again(lock_of):
    lock_of(ME).acquire()
    assert lock_of(ME).acquire() is None


def test_released_lock_is_free(lock_of):
    lock_of(OTHER).acquire()
    assert lock_of(OTHER).release()
    assert lock_of(ME).acquire() is None


def test_lock_of_another_is_not_released(fleet, lock_of):
    lock_of(OTHER).acquire()
    assert not lock_of(ME).release()
    assert lease(fleet)["spec"]["holderIdentity"] == "other@there:2"


def test_lock_that_ran_out_is_taken_over(fleet, lock_of, clock):
    lock_of(OTHER).acquire()
    age(fleet, 61)
    assert lock_of(ME).acquire() == "other@there:2"
    assert lease(fleet)["spec"]["leaseTransitions"] == 1
    assert clock.now >= 60 / 3


def test_holder_whose_clock_is_behind_lives(fleet, lock_of, clock):
    lock_of(OTHER).acquire()
    age(fleet, 3600)
    clock.at_sleep = lambda: age(fleet, 3590)
    with pytest.raises(RefusedError, match="other@there:2"):
        lock_of(ME).acquire()


def test_dead_holder_whose_clock_was_ahead_is_watched_for_the_whole_time(
    fleet, lock_of, clock
):
    lock_of(OTHER).acquire()
    age(fleet, -3600)
    assert lock_of(ME).acquire() == "other@there:2"
    assert clock.now >= 60


def test_dead_process_of_this_machine_loses_its_lock_at_once(lock_of, clock):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = Holder.of_process(child.pid)
    lock_of(holder).acquire()
    with pytest.raises(RefusedError):
        lock_of(ME).acquire()
    child.communicate()
    assert lock_of(ME).acquire() == holder.name
    assert clock.now == 0


@pytest.mark.parametrize("process", ["", "x", "a/b/c", "elsewhere/pid:[1]/2/3"])
def test_process_of_another_machine_is_never_called_dead(process):
    assert not surely_dead(process)


def test_renewal_comes_every_third_of_the_duration(fleet, lock_of, clock):
    lock = lock_of(ME)
    lock.acquire()
    version = lease(fleet)["metadata"]["resourceVersion"]
    clock.now = 19
    lock.renew()
    assert lease(fleet)["metadata"]["resourceVersion"] == version
    clock.now = 21
    lock.renew()
    assert lease(fleet)["metadata"]["resourceVersion"] != version


def test_run_that_lost_its_lock_stops(fleet, lock_of, clock):
    lock = lock_of(ME)
    lock.acquire()
    age(fleet, 100)
    lock_of(OTHER).acquire()
    clock.now += 100
    renewal = Renewal(lock, lambda: True)
    renewal.renew()
    with pytest.raises(LockLostError, match="lost the rotation lock to other@there:2"):
        renewal.require()


def test_server_that_does_not_answer_does_not_end_the_run(fleet, lock_of):
    lock = lock_of(ME)
    fleet.faults.add(Fault(resource="leases.coordination.k8s.io", status=503))
    renewal = Renewal(lock, lambda: True)
    renewal.renew()
    renewal.require()


def renewals(fleet, api, alive):
    """Hold a lock of 0.2 s, and see whether the Lease is renewed by itself."""
    lock = Lock(api.connect(), ME, 0.2)
    lock.acquire()
    version = lease(fleet)["metadata"]["resourceVersion"]
    renewal = Renewal(lock, alive)
    renewal.begin()
    try:
        yield from (
            lease(fleet)["metadata"]["resourceVersion"] != version for _ in renewal_s()
        )
    finally:
        renewal.end()


def renewal_s():
    """Looks at a clock that never jumps, for five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        yield time.sleep(0.01)


def test_lock_is_renewed_while_a_step_waits_for_an_answer(fleet, api):
    assert any(renewals(fleet, api, lambda: True))


def test_lock_of_a_run_that_is_gone_is_not_renewed(fleet, api):
    asked = []

    def alive():
        asked.append(1)
        return False

    renewed = renewals(fleet, api, alive)
    assert not next(renewed)
    while not asked:
        assert not next(renewed)
    assert not next(renewed)
    renewed.close()


def test_race_for_a_free_lock_has_one_winner(fleet, lock_of):
    fleet.faults.add(
        Fault(verb="create", resource="leases.coordination.k8s.io", status=409, times=1)
    )
    with pytest.raises(RefusedError, match="at the same moment"):
        lock_of(ME).acquire()
