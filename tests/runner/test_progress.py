"""Events in, progress and an exit status out; no Ansible runs here."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runbooks.rotation.waiting import Look, Pace, pending_in, wait_until
from runbooks.runner.display import LiveDisplay, PlainDisplay, display_for
from runbooks.runner.outcome import outcome_of
from runbooks.runner.progress import SPEC_ACTION, Progress, advance

COLLECTION = "runbooks.ipsec."


def event(kind, step="", action="", stdout="", **about):
    path = f"/p/roles/rotation/tasks/{step}.yml:3" if step else "/p/rotate.yml:9"
    named = {"task": "A task", "task_action": action, "task_path": path}
    return {"event": kind, "stdout": stdout, "pid": 7, "event_data": named | about}


def start(step):
    return event("playbook_on_task_start", step)


def ok(step, **result):
    return event("runner_on_ok", step, f"{COLLECTION}rotation_{step}", res=result)


def failed(step, action, **result):
    return event("runner_on_failed", step, action, res=result)


def said(line):
    return event("verbose", "propagate", stdout=line)


def preflight(nodes=3):
    names = [f"node{number}" for number in range(1, nodes + 1)]
    return ok("preflight", nodes=names, rotation_duration_s=30, summary=["Ready."])


def after(*events, progress=None):
    progress = progress or Progress()
    for one in events:
        progress = advance(progress, one)
    return progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@given(st.lists(st.from_regex(r"node[0-9]{1,4} \([a-z ,]+\)", fullmatch=True)))
def test_what_a_wait_tells_is_read_back(phrases):
    if not phrases:
        return
    looks = iter([tuple(phrases), ()])
    told = []
    wait_until(
        lambda: Look(None, next(looks)),
        Pace(5, sleep=lambda _s: None),
        what="it",
        tell=told.append,
    )
    (line,) = told
    shown, more = pending_in(f"    {line}")
    assert shown == tuple(phrases[: len(shown)])
    assert len(shown) + more == len(phrases)


def test_other_lines_are_no_wait():
    assert pending_in("waiting for Godot") is None
    assert pending_in("ok: [localhost]") is None


def test_nodes_done_and_laggards_follow_the_lines_of_a_wait():
    progress = after(start("preflight"), preflight(12), start("propagate"))
    assert progress.nodes_done is None
    many = "; ".join(f"node{number} (inbound from node9)" for number in range(1, 9))
    progress = after(said(f"  0 s: waiting for {many}; and 3 more"), progress=progress)
    assert progress.nodes_done == 1
    assert progress.pending[-1] == "and 3 more"
    progress = after(said("9 s: waiting for node2 (x)"), progress=progress)
    assert progress.nodes_done == 11
    progress = after(start("reclaim"), progress=progress)
    assert progress.nodes_done is None
    assert progress.pending == ()


def test_api_server_without_answer_is_no_node():
    progress = after(
        start("preflight"),
        preflight(),
        start("propagate"),
        said("4 s: waiting for the API server at h, which does not answer"),
    )
    assert progress.nodes_done is None
    assert progress.pending == ("the API server at h, which does not answer",)


def in_key_files(action, **result):
    """What a task of a file says that a step includes."""
    return event("runner_on_ok", "key_files", f"{COLLECTION}{action}", res=result)


def test_key_files_are_patched_when_they_are_written():
    begun = in_key_files("rotation_key_files_begin", from_key_id=3, to_key_id=4)
    progress = after(start("preflight"), preflight(), start("patch"), begun)
    assert progress.ended[-1] == ("patch", "key ID 3 to 4")
    assert not progress.patched
    written = in_key_files("rotation_key_file_write", results=[])
    assert after(written, progress=progress).patched


def test_first_failure_is_the_one_that_counts():
    progress = after(
        start("propagate"),
        failed("propagate", f"{COLLECTION}rotation_propagate", msg="node2 lags."),
        start("report"),
        failed("report", f"{COLLECTION}rotation_report", msg="No space."),
    )
    outcome = outcome_of(progress, 2, Path("p"))
    assert (outcome.status, outcome.message) == (1, "propagate: node2 lags.")


@pytest.mark.parametrize(
    ("last", "status", "words"),
    [
        (
            failed(
                "preflight", f"{COLLECTION}rotation_preflight", reasons=["A.", "B."]
            ),
            1,
            "preflight: A. B.",
        ),
        (failed("preflight", "ansible.builtin.assert", msg="Off."), 1, "Off."),
        (
            failed("preflight", "kubernetes.core.k8s_info", msg="No route."),
            3,
            "preflight: No route. Nothing was changed.",
        ),
        (
            failed("preflight", f"{COLLECTION}rotation_preflight", msg="401."),
            3,
            "Nothing was changed.",
        ),
        (failed("lock", f"{COLLECTION}rotation_lock", reasons=["Held."]), 1, "Held."),
        (failed("", SPEC_ACTION, argument_errors=["no int"], msg="m"), 2, "no int"),
    ],
)
def test_exit_status(last, status, words):
    outcome = outcome_of(after(start("preflight"), last), 2, Path("p"))
    assert outcome.status == status
    assert words in outcome.message


def test_ignored_failure_is_none():
    ignored = event("runner_on_failed", "verify", "x", res={}, ignore_errors=True)
    assert outcome_of(after(start("verify"), ignored), 0, Path("p")).status == 0


def test_missing_collection_is_named_with_the_command_that_installs_it():
    complaint = event(
        "verbose",
        stdout="[ERROR]: couldn't resolve module/action 'kubernetes.core.k8s_info'",
    )
    outcome = outcome_of(after(complaint), 4, Path("/p"))
    assert outcome.status == 2
    assert "install -r /p/collections/requirements.yml" in outcome.message


RUN = (
    start("preflight"),
    preflight(),
    start("lock"),
    ok("lock", holder="me@here:7"),
    start("patch"),
    ok("patch", rotation_id="r", from_key_id=3, to_key_id=4),
    start("propagate"),
    said("0 s: waiting for node2 (inbound from node1)"),
    ok("propagate", elapsed_s=4.2),
    start("reclaim"),
    said("0 s: waiting for node1 (4 states under SPI 3); node2 (4)"),
)


def test_plain_lines_say_each_thing_once():
    text, clock = io.StringIO(), Clock()
    display = PlainDisplay(Console(file=text, width=40), clock)
    progress = Progress()
    for one in RUN:
        progress = advance(progress, one)
        display.show(progress)
        display.show(progress)
    clock.now = 85
    later = said("85 s: waiting for node2 (4 states under SPI 3)")
    display.show(advance(progress, later))
    assert text.getvalue().splitlines() == [
        "preflight: Ready.",
        "lock: held by me@here:7",
        "patch: key ID 3 to 4",
        "propagate: 2 of 3 nodes, waiting for node2 (inbound from node1)",
        "propagate: 3 of 3 nodes after 4 s",
        "reclaim: 1 of 3 nodes, waiting for node1 (4 states under SPI 3); node2 (4),"
        " the old SPI goes within 1 min 30 s",
        "reclaim: 2 of 3 nodes, waiting for node2 (4 states under SPI 3),"
        " the old SPI goes within 5 s",
    ]


def drawn(display):
    text = io.StringIO()
    Console(file=text, width=100).print(display.render())
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_terminal_shows_steps_laggards_and_the_time_left():
    clock = Clock()
    display = LiveDisplay(Console(file=io.StringIO(), force_terminal=True), clock)
    display.show(after(*RUN))
    clock.now = 20
    assert drawn(display) == [
        "ok preflight Ready.",
        "ok lock held by me@here:7",
        "ok patch key ID 3 to 4",
        "ok propagate 3 of 3 nodes after 4 s",
        "... reclaim 1 of 3 nodes, the old SPI goes within 1 min 10 s, 20 s",
        "verify",
        "report",
        "node1 (4 states under SPI 3)",
        "node2 (4)",
    ]
    clock.now = 100
    assert "the old SPI is 10 s overdue" in drawn(display)[4]


def test_terminal_marks_the_step_that_failed():
    display = LiveDisplay(Console(file=io.StringIO(), force_terminal=True), Clock())
    display.show(after(*RUN, failed("reclaim", "x", msg="It stays.")))
    assert "failed reclaim" in drawn(display)


def test_only_a_terminal_is_drawn_on():
    plain = Console(file=io.StringIO())
    live = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"})
    assert isinstance(display_for(plain), PlainDisplay)
    assert isinstance(display_for(live), LiveDisplay)


def test_failed_task_without_words_is_named():
    progress = after(start("verify"), failed("verify", "x"))
    assert "A task" in outcome_of(progress, 2, Path("p")).message
