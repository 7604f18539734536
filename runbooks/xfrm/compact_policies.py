"""XFRM policies in few bytes: what many have in common is said once.

An agent's pod turns ``ip xfrm policy`` into this form (``collect/pod/policies.awk``)::

    > out allow 0 0.0.0.0/0 0x3e00/0xffffff00 10.0.1.10 0x00000003 1 tunnel required
    0 10.0.2.0/24 0007 10.0.2.10      of the first kind: selector, node ID, template
    > out block 100 0.0.0.0/0 0xe00/0xf00
    1 0.0.0.0/0 0000                  of the second kind, without a template
    = 2                               policies: the end

Where there are too many, only those for all addresses are there, and of all others
the addresses that outbound ones lead to::

    > out block 100 0.0.0.0/0 0xe00/0xf00
    0 0.0.0.0/0 0000
    ~ 10.0.2.10                       an address that packets are led to
    = many 1                          addresses: the end
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from runbooks.xfrm.model import Direction, Mark, XfrmPolicy, XfrmTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence


class CompactPolicyError(ValueError):
    """The text is not what a pod makes of its policies."""


@dataclasses.dataclass(frozen=True, slots=True)
class CompactPolicies:
    """What an agent's pod told of its policies.

    Attributes:
        listed: The policies in their order.
        led_to: Where those are too many, the addresses that outbound policies lead
            to, and only those for all addresses are listed; ``None`` otherwise.
    """

    listed: tuple[XfrmPolicy, ...]
    led_to: frozenset[str] | None = None


def parse_compact_policies(text: str) -> CompactPolicies:
    """Read what an agent's pod made of its policies.

    Args:
        text: The whole of it.

    Returns:
        The policies.

    Raises:
        CompactPolicyError: A line is something else, or lines are missing.
    """
    kinds: list[Sequence[str]] = []
    found: list[XfrmPolicy] = []
    led_to: list[str] = []
    lines = text.strip("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        words = line.split(" ")
        try:
            match words:
                case [">", *kind] if len(kind) in {5, 10}:
                    kinds.append(kind)
                case ["~", address]:
                    led_to.append(address)
                case ["=", "many", count] if number == len(lines):
                    _all_there(count, led_to)
                    return CompactPolicies(tuple(found), frozenset(led_to))
                case ["=", count] if number == len(lines):
                    _all_there(count, found)
                    return CompactPolicies(tuple(found))
                case [which, selector, node_id, *to] if which[:1] == "+":
                    (template,) = _policy(kinds[int(which)], "", node_id, to).templates
                    more = (*found[-1].templates, template)
                    found[-1] = dataclasses.replace(found[-1], templates=more)
                case [which, selector, node_id, *to]:
                    found.append(_policy(kinds[int(which)], selector, node_id, to))
                case _:
                    raise ValueError("not what a pod makes of its policies")
        except (ValueError, IndexError) as error:
            raise CompactPolicyError(f"line {number}: {error}") from None
    raise CompactPolicyError(f"line {len(lines)}: the end is missing")


def _all_there(count: str, found: Sequence[object]) -> None:
    if int(count) != len(found):
        raise ValueError("lines are missing")


def _policy(
    kind: Sequence[str], selector: str, node_id: str, to: Sequence[str]
) -> XfrmPolicy:
    direction, action, priority, source, mark, *template = kind
    templates: tuple[XfrmTemplate, ...] = ()
    if template:
        start, spi, reqid, mode, level = template
        (end,) = to
        templates = (
            XfrmTemplate(
                start, end, _number(spi), _number(reqid), mode, level == "use"
            ),
        )
    elif to:
        raise ValueError("a template too many")
    return XfrmPolicy(
        source=source,
        destination=selector,
        direction=Direction(direction),
        action=action,
        priority=int(priority),
        mark=None if mark == "-" else _mark(mark, int(node_id, 16)),
        templates=templates,
    )


def _number(word: str) -> int:
    return int(word.partition("(")[0], 0)


def _mark(word: str, node_id: int) -> Mark:
    value, mask = (int(part, 16) for part in word.split("/"))
    return Mark(node_id << 16 | value, mask)
