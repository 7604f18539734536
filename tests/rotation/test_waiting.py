import pytest

from runbooks.rotation.errors import TransientError, WaitLimitError
from runbooks.rotation.waiting import Look, Pace, persist, wait_until


class FakeClock:
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def pace(self, limit_s, interval_s=2.0):
        return Pace(limit_s, interval_s, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def looks(*answers):
    rest = iter(answers)

    def look():
        answer = next(rest)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


@pytest.fixture
def clock():
    return FakeClock()


def test_done_at_once_without_sleeping(clock):
    assert wait_until(looks(Look(7)), clock.pace(10), what="x") == 7
    assert clock.slept == []


def test_server_that_does_not_answer_is_waited_out(clock):
    look = looks(TransientError("the server"), TransientError("the server"), Look(7))
    assert wait_until(look, clock.pace(10), what="x") == 7
    assert clock.slept == [2.0, 2.0]


def test_retry_after_is_honored(clock):
    look = looks(TransientError("the server", retry_after_s=9.0), Look(7))
    wait_until(look, clock.pace(60), what="x")
    assert clock.slept == [9.0]


def test_sleep_never_goes_beyond_the_limit(clock):
    look = looks(TransientError("the server", retry_after_s=90.0), Look(7))
    wait_until(look, clock.pace(10), what="x")
    assert clock.slept == [10.0]


def test_limit_names_what_was_pending(clock):
    with pytest.raises(
        WaitLimitError, match=r"after 4 s waiting for peace: node2\.$"
    ) as e:
        wait_until(lambda: Look(None, ("node2",)), clock.pace(4), what="peace")
    assert e.value.pending == ("node2",)


def test_changes_are_told_once(clock):
    lines = []
    look = looks(Look(0, ("a", "b")), Look(0, ("a", "b")), Look(0, ("b",)), Look(0))
    wait_until(look, clock.pace(60), what="x", tell=lines.append)
    assert lines == ["0 s: waiting for a; b", "4 s: waiting for b"]


def test_what_happens_between_may_end_the_wait(clock):
    def between():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_until(looks(), clock.pace(60), what="x", between=between)


def test_persist_returns_what_the_read_returned(clock):
    assert persist(looks(TransientError("the server"), 5), clock.pace(9), what="x") == 5


def test_thousand_laggards_make_one_readable_line(clock):
    lines = []
    many = tuple(f"node{n}" for n in range(1000))
    wait_until(
        looks(Look(0, many), Look(0)), clock.pace(9), what="x", tell=lines.append
    )
    assert lines[0].endswith("node7; and 992 more")
