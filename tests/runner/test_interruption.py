"""When an interruption waits, asks, and uses force."""

import os
import signal

from runbooks.runner.interruption import (
    END_GRACE_S,
    PATCH_GRACE_S,
    SIGNALS,
    Interruption,
)
from runbooks.runner.progress import Progress


class Scene:
    """A run, its clock, and the signals that reach the playbook."""

    def __init__(self, monkeypatch, progress):
        self.now = 0.0
        self.progress = progress
        self.sent = []
        self.told = []
        self.interruption = Interruption(
            lambda: self.progress, self.told.append, lambda: self.now
        )
        self._kill = os.kill
        monkeypatch.setattr(
            "runbooks.runner.interruption.os.kill",
            lambda pid, number: self.sent.append((pid, number)),
        )

    def press_ctrl_c(self):
        self._kill(os.getpid(), signal.SIGINT)


def test_nothing_happens_unasked(monkeypatch):
    scene = Scene(monkeypatch, Progress(step="patch", pid=7))
    with scene.interruption as interruption:
        assert not interruption.must_kill()
        assert not interruption.asked
    assert scene.sent == []


def test_playbook_is_asked_once_and_killed_when_its_time_is_up(monkeypatch):
    scene = Scene(monkeypatch, Progress(step="propagate", pid=7))
    with scene.interruption as interruption:
        scene.press_ctrl_c()
        assert not interruption.must_kill()
        assert not interruption.must_kill()
        assert scene.sent == [(7, signal.SIGINT)]
        scene.now = END_GRACE_S + 1
        assert interruption.must_kill()
    assert len(scene.told) == 1


def test_patch_is_let_finish(monkeypatch):
    scene = Scene(monkeypatch, Progress(step="patch", pid=7))
    with scene.interruption as interruption:
        scene.press_ctrl_c()
        assert not interruption.must_kill()
        assert scene.sent == []
        scene.progress = Progress(step="patch", pid=7, patched=True)
        assert not interruption.must_kill()
    assert scene.sent == [(7, signal.SIGINT)]


def test_patch_that_hangs_is_not_waited_for_without_end(monkeypatch):
    scene = Scene(monkeypatch, Progress(step="patch", pid=7))
    with scene.interruption as interruption:
        scene.press_ctrl_c()
        assert not interruption.must_kill()
        scene.now = PATCH_GRACE_S + 1
        assert not interruption.must_kill()
    assert scene.sent == [(7, signal.SIGINT)]


def test_second_ctrl_c_kills_at_once(monkeypatch):
    scene = Scene(monkeypatch, Progress(step="patch", pid=7))
    with scene.interruption as interruption:
        scene.press_ctrl_c()
        assert not interruption.must_kill()
        scene.press_ctrl_c()
        assert interruption.must_kill()


def test_signal_handlers_are_put_back(monkeypatch):
    before = [signal.getsignal(number) for number in SIGNALS]
    with Scene(monkeypatch, Progress()).interruption:
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in SIGNALS] == before
