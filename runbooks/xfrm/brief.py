"""What a node's XFRM states sum up to, in a few hundred bytes.

An agent's pod adds its states up (``collect/pod/brief.awk``), so that asking a
healthy node costs the same whether it has three peers or a thousand::

    + 3 in 999 999 2 0 12 4000 88123456 471100      sums, by SPI and direction
    * 3 1767322000 1767322010 1996                  ages, by SPI
    ! 3 in 10.0.2.10 10.0.1.10 0 12 4000 1767322000 a state that refused packets
    ~ 1998 0                                        states, and those of others
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.xfrm.compact import LAST_SPI
from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence


class BriefError(ValueError):
    """The text is not what a pod makes of its states."""


@dataclass(frozen=True, slots=True)
class StateSums:
    """All of a node's states of one SPI and direction.

    Attributes:
        spi: Their SPI.
        direction: Inbound or outbound.
        states: How many they are.
        esn: How many of them use extended sequence numbers.
        failing: How many of them ever refused a packet.
        window_errors: ``stats: replay-window`` of all, packets.
        replay_errors: ``stats: replay`` of all, packets.
        integrity_errors: ``stats: failed`` of all, packets.
        number_sum: ``seq`` of all if inbound, ``oseq`` if outbound; good to 2^53.
        number_max: The highest of them.
    """

    spi: int
    direction: Direction
    states: int
    esn: int = 0
    failing: int = 0
    window_errors: int = 0
    replay_errors: int = 0
    integrity_errors: int = 0
    number_sum: int = 0
    number_max: int = 0


@dataclass(frozen=True, slots=True)
class StateAges:
    """States of one SPI that were added within half a minute.

    The last one of an SPI holds all that are older.

    Attributes:
        spi: Their SPI.
        oldest_s: When the first was added, seconds since 1970, node's clock.
        newest_s: When the last was added.
        states: How many they are, both directions together.
    """

    spi: int
    oldest_s: int
    newest_s: int
    states: int


@dataclass(frozen=True, slots=True)
class FailingState:
    """A state of the node's newest SPI that ever refused a packet.

    Attributes:
        spi: Its SPI.
        direction: Inbound or outbound.
        source: Source address.
        destination: Destination address.
        window_errors: ``stats: replay-window``, packets.
        replay_errors: ``stats: replay``, packets.
        integrity_errors: ``stats: failed``, packets.
        added_s: When it was added, seconds since 1970, node's clock.
    """

    spi: int
    direction: Direction
    source: str
    destination: str
    window_errors: int
    replay_errors: int
    integrity_errors: int
    added_s: int


@dataclass(frozen=True, slots=True)
class BriefStates:
    """What a node's states sum up to.

    Attributes:
        sums: By SPI and direction, in order.
        ages: By SPI, the newest first.
        failing: A few of the states that refused packets; `StateSums` have how
            many there are.
        states: How many states of Cilium there are.
        others: How many states are not Cilium's.
    """

    sums: tuple[StateSums, ...] = ()
    ages: tuple[StateAges, ...] = ()
    failing: tuple[FailingState, ...] = field(default=())
    states: int = 0
    others: int = 0

    @property
    def spis(self) -> frozenset[int]:
        """SPIs of all states."""
        return frozenset(sums.spi for sums in self.sums)

    @property
    def newest_spi(self) -> int | None:
        """The SPI of the newest states, which the agent loaded last."""
        newest = max(self.ages, key=lambda a: (a.newest_s, a.spi), default=None)
        return newest.spi if newest else None


def parse_brief(text: str) -> BriefStates:
    """Read what an agent's pod made of its states.

    Args:
        text: The whole of it.

    Returns:
        The sums.

    Raises:
        BriefError: A line is something else, or the end is missing.
    """
    sums: list[StateSums] = []
    ages: list[StateAges] = []
    failing: list[FailingState] = []
    lines = text.strip("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        match line.split(" "):
            case ["+", spi, direction, *rest] if len(rest) == 8:
                key = _spi(number, spi), _direction(number, direction)
                sums.append(StateSums(*key, *_numbers(number, rest)))
            case ["*", spi, *rest] if len(rest) == 3:
                ages.append(StateAges(_spi(number, spi), *_numbers(number, rest)))
            case ["!", spi, direction, source, destination, *rest] if len(rest) == 4:
                failing.append(
                    FailingState(
                        _spi(number, spi),
                        _direction(number, direction),
                        _address(number, source),
                        _address(number, destination),
                        *_numbers(number, rest),
                    )
                )
            case ["~", *rest] if len(rest) == 2 and number == len(lines):
                states, others = _numbers(number, rest)
                if states != sum(group.states for group in sums):
                    raise _refused(number, "lines are missing")
                return BriefStates(
                    tuple(sorted(sums, key=lambda s: (s.spi, s.direction))),
                    tuple(sorted(ages, key=lambda a: (a.spi, -a.newest_s))),
                    tuple(failing),
                    states,
                    others,
                )
            case _:
                raise _refused(number, "not what a pod makes of its states")
    raise _refused(len(lines), "the end is missing; it seems to be cut off")


def _refused(number: int, problem: str) -> BriefError:
    return BriefError(f"line {number}: {problem}")


def _numbers(number: int, words: Sequence[str]) -> list[int]:
    if not all(word.isascii() and word.isdigit() for word in words):
        raise _refused(number, "a number is malformed")
    return [int(word) for word in words]


def _spi(number: int, word: str) -> int:
    (spi,) = _numbers(number, [word])
    if not 0 < spi <= LAST_SPI:
        raise _refused(number, "no key ID")
    return spi


def _direction(number: int, word: str) -> Direction:
    if word not in {"in", "out"}:
        raise _refused(number, "neither inbound nor outbound")
    return Direction(word)


def _address(number: int, word: str) -> str:
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        raise _refused(number, "not an address") from None
