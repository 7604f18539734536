"""How the numbers of a stale pair went, and where they lead if nothing is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code
from runbooks.report.durations import in_words

if TYPE_CHECKING:
    from runbooks.diagnose.finding import Finding

#: Whatever is further ahead than ten years does not happen.
LONGEST_S = 10 * 31_557_600.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of both ends in one sample.

    Attributes:
        at_s: Seconds before the last one, so zero or less; ``None`` if unknown.
        oseq: The sender's number.
        seq: The receiver's number; ``None`` if it was not read again.
    """

    at_s: float | None
    oseq: int
    seq: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """Both numbers over time. Times are seconds after the last sample.

    Attributes:
        source: The sending node.
        destination: The receiving node.
        seen: The number that the sender has to pass.
        readings: What was read, one or two samples.
        read: When the last one was read, in UTC; ``None`` if unknown.
        made_s: When the sender's state was made, with number 0.
        rate: Packets a second that the sender sends; ``None`` if unknown.
        rate_is_mean: Whether the rate is that since the state was made, since
            the pair was read once.
        healed_s: When the sender passes the number at that rate; ``None`` if
            unknown or never.
    """

    source: str
    destination: str
    seen: int
    readings: tuple[Reading, ...]
    read: datetime | None
    made_s: float | None
    rate: float | None
    rate_is_mean: bool
    healed_s: float | None

    @property
    def left(self) -> int:
        """Packets that the sender has yet to lose."""
        return self.seen - self.readings[-1].oseq


def course(finding: Finding) -> Course | None:
    """Take the course of a pair from a finding's evidence.

    Args:
        finding: A finding.

    Returns:
        The course; ``None`` unless it is about a stale pair.
    """
    evidence = finding.evidence
    if finding.code is not Code.STALE_XFRM_STATE or not evidence.get("samples"):
        return None
    samples = evidence["samples"]
    moments = [_moment(sample["outbound_read"]) for sample in samples]
    last = moments[-1]
    readings = tuple(
        Reading(
            (moment - last).total_seconds() if moment and last else None,
            sample["outbound_oseq"],
            sample["inbound_seq"],
        )
        for moment, sample in zip(moments, samples, strict=True)
    )
    age_s = evidence.get("outbound_age_s")
    rate, is_mean = _rate(readings, age_s)
    seen = evidence["inbound_seq"]
    left_s = (seen - readings[-1].oseq) / rate if rate else None
    return Course(
        source=finding.source or "",
        destination=finding.destination or "",
        seen=seen,
        readings=readings,
        read=last,
        made_s=None if age_s is None else -age_s,
        rate=rate,
        rate_is_mean=is_mean,
        healed_s=left_s if left_s is not None and left_s < LONGEST_S else None,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _rate(
    readings: tuple[Reading, ...], age_s: float | None
) -> tuple[float | None, bool]:
    first, last = readings[0], readings[-1]
    if first.at_s is not None and first.at_s < 0:
        return (last.oseq - first.oseq) / -first.at_s, False
    if len(readings) == 1 and age_s:
        return last.oseq / age_s, True
    return None, False


def sentences(course: Course) -> tuple[str, ...]:
    """Say what was read and what follows, for a reader of the picture."""
    first = course.readings[0]
    at = f" at {course.read:%Y-%m-%d %H:%M:%S} UTC" if course.read else ""
    if first.at_s:
        read = f"Read twice, {in_words(-first.at_s)} apart, the last time{at}."
    else:
        read = f"Read {'once' if len(course.readings) == 1 else 'twice'}{at}."
    said = [read]
    if course.made_s is not None:
        age = in_words(-course.made_s)
        said.append(
            f"{course.source} had made its state {age} before and counted from 0."
        )
    return (*said, _ahead(course))


def _ahead(course: Course) -> str:
    left = f"{course.left:,} more packets are lost"
    if course.rate is None:
        return f"It heals by itself after {left}; when that is can't be told."
    if course.rate == 0:
        return f"Nothing was sent, and it heals by itself only after {left}."
    since = "on average since then" if course.rate_is_mean else "as between the samples"
    rate = f"{course.rate:,.0f}" if course.rate >= 10 else f"{course.rate:.2g}"
    at_rate = f"At {rate} packets a second, {since},"
    if course.healed_s is None:
        return f"{at_rate} it does not heal by itself within ten years: {left} first."
    return (
        f"{at_rate} it would heal by itself in {in_words(course.healed_s)}:"
        f" {left} until then."
    )
