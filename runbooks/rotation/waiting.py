"""Waiting: one function, with one meaning of "done".

Done is when a look at the cluster leaves nothing pending. An API server that
doesn't answer is neither done nor failed: the wait goes on until its limit.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from runbooks.rotation.errors import TransientError, WaitLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Pending things that are named one by one.
SHOWN = 8
#: Between the time and what is pending, in the lines that a wait tells.
WAITING = ": waiting for "


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """What one look at the cluster gave.

    Attributes:
        value: What was seen.
        pending: What is still missing, a phrase each; empty means done.
    """

    value: T
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How to wait.

    Attributes:
        limit_s: Give up after this many seconds.
        interval_s: Time between two looks, in seconds.
        clock: A clock that never jumps, in seconds.
        sleep: Sleeps for a number of seconds.
    """

    limit_s: float
    interval_s: float = 2.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_until(
    look: Callable[[], Look[T]],
    pace: Pace,
    *,
    what: str,
    tell: Callable[[str], None] = lambda _line: None,
    between: Callable[[], None] = lambda: None,
) -> T:
    """Look again and again until nothing is pending.

    Args:
        look: Looks once; may raise :class:`TransientError`, which counts as pending.
        pace: Limit and interval.
        what: What is waited for, for the sentence at the limit.
        tell: Is told a line whenever what is pending changes.
        between: Called before every look, and free to raise.

    Returns:
        The value of the look that left nothing pending.

    Raises:
        WaitLimitError: At the limit, with what was pending then.
    """
    start = pace.clock()
    told: tuple[str, ...] = ()
    while True:
        between()
        rest_s = pace.interval_s
        try:
            seen = look()
            if not seen.pending:
                return seen.value
            pending = seen.pending
        except TransientError as error:
            pending = (str(error),)
            rest_s = max(rest_s, error.retry_after_s or 0.0)
        elapsed_s = pace.clock() - start
        if pending != told:
            tell(f"{elapsed_s:.0f} s{WAITING}{_listed(pending)}")
            told = pending
        left_s = pace.limit_s - elapsed_s
        if left_s <= 0:
            raise WaitLimitError(
                f"Gave up after {elapsed_s:.0f} s waiting for {what}:"
                f" {_listed(pending)}.",
                pending,
                elapsed_s,
            )
        pace.sleep(min(rest_s, left_s))


def _listed(pending: tuple[str, ...]) -> str:
    """What is pending, in a line that stays readable with a thousand nodes."""
    more = len(pending) - SHOWN
    return "; ".join(pending[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def pending_in(line: str) -> tuple[tuple[str, ...], int] | None:
    """Read back a line that :func:`wait_until` told.

    Args:
        line: A line of the playbook's output.

    Returns:
        The phrases that it names, and how many more there are; ``None`` if the
        line tells of something else.
    """
    after, found, listed = line.strip().partition(f" s{WAITING}")
    if not found or not after.isdigit():
        return None
    phrases = listed.split("; ")
    more = re.fullmatch(r"and (\d+) more", phrases[-1])
    if more is None:
        return tuple(phrases), 0
    return tuple(phrases[:-1]), int(more[1])


def persist(call: Callable[[], T], pace: Pace, *, what: str) -> T:
    """Repeat a read that may meet a moment without an API server.

    Args:
        call: A read without side effects.
        pace: Limit and interval.
        what: What is read, for the sentence at the limit.

    Returns:
        What the call returned.

    Raises:
        WaitLimitError: If no call succeeded within the limit.
    """
    return wait_until(lambda: Look(call()), pace, what=what)
