"""``ip xfrm policy``, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbooks.xfrm.model import (
    MARK_ACTION_ENCRYPT,
    Direction,
    XfrmPolicy,
    XfrmTemplate,
)
from runbooks.xfrm.text.lines import CUT_OFF, REDACTED, Line, entries, marks, pairs

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_policy_text(text: str) -> list[XfrmPolicy]:
    """Read ``ip [-s] xfrm policy``.

    Args:
        text: What it printed, or cilium-bugtool's file of it.

    Returns:
        The policies in their order, those of single sockets left out.

    Raises:
        XfrmTextError: The text is something else, or cut off.
    """
    found = entries(text)
    policies = [_policy(entry) for entry in found]
    last = policies[-1] if policies else None
    if (
        last is not None
        and last.mark is not None
        and last.mark.action == MARK_ACTION_ENCRYPT
        and last.action == "allow"
        and not last.templates
    ):
        # Cilium's lead to a state; that of somebody else may well end here.
        raise found[-1][-1].error(CUT_OFF)
    return [policy for policy in policies if policy is not None]


def _policy(entry: Sequence[Line]) -> XfrmPolicy | None:
    head = entry[0]
    match head.words:
        case ("src", source, "dst", destination, *_):
            fields: dict[str, Any] = {
                "source": head.prefix_in(source),
                "destination": head.prefix_in(destination),
            }
        case _:
            raise head.error("expected src PREFIX dst PREFIX")
    templates: list[list[Line]] = []
    detailed = whole = False
    for line in entry[1:]:
        match line.words:
            case ("dir", ("in" | "out" | "fwd") as direction, *_):
                values = pairs(line.words)
                detailed = "index" in values
                fields["direction"] = Direction(direction)
                fields["action"] = values.get("action", "allow")
                fields["priority"] = line.number_in(values.get("priority", ""))
            case ("socket", "in" | "out" | "fwd", *_):
                return None
            case ("tmpl", *_):
                templates.append([line])
            case ("mark", *_):
                fields["mark"] = marks(line)["mark"]
            case ("add", *rest) if "use" in rest:
                whole = True
            case _ if templates:
                templates[-1].append(line)
            case _:
                pass
    if "direction" not in fields or (detailed and not whole):
        raise entry[-1].error(CUT_OFF)
    fields["templates"] = tuple(_template(lines, detailed) for lines in templates)
    return XfrmPolicy(**fields)


def _template(lines: Sequence[Line], detailed: bool) -> XfrmTemplate:
    head = lines[0]
    ends = pairs(head.words[1:])
    fields: dict[str, Any] = {
        "source": head.address_in(ends.get("src", "")),
        "destination": head.address_in(ends.get("dst", "")),
    }
    whole = not detailed
    for line in lines[1:]:
        match line.words:
            case ("proto", *_):
                values = pairs(line.words)
                # Without -s, an SPI of 0 is not printed.
                spi = values.get("spi", "0").partition("(")[0]
                fields["spi"] = line.number_in(spi)
                reqid = values.get("reqid", "").partition("(")[0]
                fields["reqid"] = line.number_in(reqid)
                fields["mode"] = values.get("mode", "")
            case ("level", level, *_):
                fields["optional"] = level == "use"
            case ("enc-mask", *_):
                whole = True
            case (word,) if word == REDACTED:
                whole = True
            case _:
                pass
    if not whole or not fields.get("mode"):
        raise lines[-1].error(CUT_OFF)
    return XfrmTemplate(**fields)
