"""The course of a stale pair as the points of a small picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.report.durations import in_words

if TYPE_CHECKING:
    from runbooks.report.course import Course

#: So few units that letters of 11 units can be read on a phone.
WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 6.0, 314.0, 14.0, 112.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines and dots, in units of ``WIDTH`` by ``HEIGHT``.

    Attributes:
        sent: The sender's numbers from the making of its state, as far as known.
        ahead: How they go on if nothing is done; empty if unknown.
        sent_read: The sender's numbers that were read.
        seen_read: The receiver's, likewise.
        made: What to write where the sender's state was made.
        healed: What to write where the pair would heal.
    """

    sent: tuple[Point, ...]
    ahead: tuple[Point, ...]
    sent_read: tuple[Point, ...]
    seen_read: tuple[Point, ...]
    made: str
    healed: str

    @property
    def read_x(self) -> float:
        """Where the last sample stands."""
        return self.sent_read[-1][0]


def picture(course: Course) -> Picture | None:
    """Lay out a course.

    Args:
        course: The course of a pair.

    Returns:
        Its picture; ``None`` if no times are known, so that there is nothing to
        lay out over time.
    """
    readings = [r for r in course.readings if r.at_s is not None]
    # Archives tell how old a state was, and not when it was read.
    times = [r.at_s or 0.0 for r in readings] or [0.0]
    readings = readings or [course.readings[-1]]
    begin = min([times[0]] + ([course.made_s] if course.made_s is not None else []))
    end = course.healed_s or 0.0
    if begin >= end:
        return None

    def at(moment_s: float, number: float) -> Point:
        along = (moment_s - begin) / (end - begin)
        up = number / course.seen
        return (
            round(LEFT + along * (RIGHT - LEFT), 1),
            round(BOTTOM - up * (BOTTOM - TOP), 1),
        )

    sent_read = tuple(at(t, r.oseq) for t, r in zip(times, readings, strict=True))
    made = (at(course.made_s, 0),) if course.made_s is not None else ()
    return Picture(
        sent=made + sent_read,
        ahead=(sent_read[-1], at(end, course.seen)) if course.healed_s else (),
        sent_read=sent_read,
        seen_read=tuple(
            at(t, r.seq)
            for t, r in zip(times, readings, strict=True)
            if r.seq is not None
        ),
        made=f"made {in_words(-course.made_s)} before" if course.made_s else "",
        healed=f"heals in {in_words(course.healed_s)}" if course.healed_s else "",
    )
