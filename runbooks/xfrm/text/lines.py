"""Lines of an ``ip xfrm`` dump: unwrapped, numbered, cut into entries.

What wraps a dump is taken off here: cilium-bugtool's Markdown, its
``[redacted]`` in place of a line, its note of a failed command.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbooks.xfrm.model import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REDACTED = "[redacted]"
CUT_OFF = "this entry is not complete; the dump seems to be cut off"
_FAILED = "> Error while running"
_FENCE = "```"
# What iproute2 says on standard error, which cilium-bugtool mixes in.
_INTERRUPTED = "Dump was interrupted"
_NO_MASK = 0xFFFFFFFF
_NUMBER = re.compile(r"0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,20})", re.ASCII)
_NEGATIVE = re.compile(r"-[1-9][0-9]{0,9}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
# Long enough for a mark or a sequence number, too short for a key.
_MAYBE_KEY = re.compile(r"[0-9a-fA-F]{9,}")
_QUOTED_WORDS = 2
_QUOTED_CHARACTERS = 40


class XfrmTextError(ValueError):
    """The text is not a whole ``ip xfrm`` dump.

    Attributes:
        line: Number of the line where that showed, from 1.
    """

    def __init__(self, line: int, problem: str, text: str = "") -> None:
        # Two words, hexadecimal runs left out: a line may hold a key.
        words = _MAYBE_KEY.sub("...", " ".join(text.split()[:_QUOTED_WORDS]))
        quoted = f" (it begins {words[:_QUOTED_CHARACTERS]!r})" if words else ""
        super().__init__(f"line {line}{quoted}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a dump.

    Attributes:
        number: From 1, in the text as it was given.
        words: What stands on it, split at white space.
        indented: Whether it belongs to the entry above.
    """

    number: int
    words: tuple[str, ...]
    indented: bool

    def error(self, problem: str) -> XfrmTextError:
        """Return an error about this line, to be raised.

        Args:
            problem: What is wrong, without any part of the line.

        Returns:
            The error.
        """
        return XfrmTextError(self.number, problem, " ".join(self.words))

    def value(self, position: int) -> str:
        """Return a word, or nothing where the line is shorter.

        Args:
            position: From 0.

        Returns:
            The word or an empty text.
        """
        return self.words[position] if position < len(self.words) else ""

    def number_in(self, word: str, bits: int = 32) -> int:
        """Read a number, decimal or hexadecimal, in the range of its field.

        Args:
            word: Such as ``0x5f0`` or ``12``.
            bits: Size of the kernel's field.

        Returns:
            The number.

        Raises:
            XfrmTextError: It is not a number, or too large.
        """
        match = _NUMBER.fullmatch(word)
        if match is None:
            raise self.error("a number is missing or malformed; is the dump cut off?")
        number = int(match[1], 16) if match[1] else int(match[2])
        if number >> bits:
            raise self.error(f"a number does not fit {bits} bits")
        return number

    def mark_in(self, word: str) -> Mark:
        """Read ``value/mask``; an output-mark of older kernels has no mask.

        Args:
            word: Such as ``0xd00/0xffffff00``.

        Returns:
            The mark.

        Raises:
            XfrmTextError: It is something else.
        """
        value, slash, mask = word.partition("/")
        if _NEGATIVE.fullmatch(value) and int(value) >= -(1 << 31):
            # Old iproute2 prints the value as a signed decimal.
            number = int(value) + (1 << 32)
        else:
            number = self.number_in(value)
        return Mark(
            value=number,
            mask=self.number_in(mask) if slash else _NO_MASK,
        )

    def address_in(self, word: str) -> str:
        """Read an address.

        Args:
            word: IPv4 or IPv6 address.

        Returns:
            The address in canonical form.

        Raises:
            XfrmTextError: It is not an address.
        """
        try:
            return str(ipaddress.ip_address(word))
        except ValueError:
            raise self.error("an address is missing or malformed") from None

    def prefix_in(self, word: str) -> str:
        """Read a prefix; iproute2 always prints its length.

        Args:
            word: Such as ``10.20.1.0/24``.

        Returns:
            The prefix in canonical form.

        Raises:
            XfrmTextError: It is not a prefix.
        """
        address, slash, length = word.partition("/")
        try:
            bits = ipaddress.ip_address(address).max_prefixlen
        except ValueError:
            raise self.error("a prefix is missing or malformed") from None
        if not slash or self.number_in(length) > bits:
            raise self.error("a prefix is missing or malformed")
        return f"{self.address_in(address)}/{self.number_in(length)}"

    def time_in(self, words: tuple[str, ...], utc_offset_s: int) -> int | None:
        """Read a time as ``add`` and ``use`` have it.

        Args:
            words: Date and time, or a dash for never.
            utc_offset_s: What the node's local time is ahead of UTC.

        Returns:
            Seconds since 1970, or ``None`` for never.

        Raises:
            XfrmTextError: It is something else.
        """
        if words == ("-",):
            return None
        text = " ".join(words)
        try:
            if not _TIME.fullmatch(text):
                raise ValueError
            read = datetime.fromisoformat(text)
        except ValueError:
            raise self.error("a time is missing or malformed") from None
        return int(read.replace(tzinfo=UTC).timestamp()) - utc_offset_s


def entries(text: str) -> list[list[Line]]:
    """Cut a dump into its entries.

    Args:
        text: A dump as the command prints it, or a cilium-bugtool file of it.

    Returns:
        Per state or policy its lines, the one with ``src`` first; nothing for
        a node that has none.

    Raises:
        XfrmTextError: The text is not a dump, or the command failed.
    """
    found: list[list[Line]] = []
    for line in _unwrapped(text):
        if not line.indented:
            if line.words[0] != "src":
                raise line.error("not a line of an ip xfrm dump")
            found.append([line])
        elif found:
            found[-1].append(line)
        elif line.words != (REDACTED,):
            raise line.error("the dump does not begin with a state or policy")
    return found


def is_out_of_place(text: str) -> bool:
    """Tell whether a line holds what no command printed in its place.

    Args:
        text: The line.

    Returns:
        Whether part of it is cilium-bugtool's or an error's.
    """
    return any(mixed in text for mixed in (REDACTED, _FAILED, _INTERRUPTED))


def _unwrapped(text: str) -> Iterator[Line]:
    lines = text.split("\n")
    titled = fenced = False
    for number, whole in enumerate(lines, start=1):
        rest = whole.rstrip("\r")
        if _FAILED in rest:
            raise XfrmTextError(number, "the command failed on the node")
        if _INTERRUPTED in rest:
            raise XfrmTextError(
                number,
                "the kernel's dump was interrupted by a change, so that states may"
                " be missing or doubled; read the node again",
            )
        if rest.startswith(("# ", _FENCE)):
            # Below the title, cilium-bugtool's Markdown has one fenced block.
            titled = not rest.startswith(_FENCE)
            fenced ^= not titled
            continue
        # The replaced line took its own end with it, so that the next line, or
        # the next replaced one, follows on the same line.
        while REDACTED in rest:
            before, _, rest = rest.partition(REDACTED)
            if before.strip():
                yield Line(number, tuple(before.split()), before[0].isspace())
            yield Line(number, (REDACTED,), indented=True)
        if rest.strip():
            yield Line(number, tuple(rest.split()), rest[0].isspace())
    # iproute2 ends every line; without the end, a last number may lack digits.
    if titled or fenced or (lines[-1] and not lines[-1].startswith(_FENCE)):
        raise XfrmTextError(len(lines), CUT_OFF)


def marks(line: Line) -> dict[str, Mark]:
    """Read a line with ``mark`` and ``output-mark``, in whatever order.

    Args:
        line: The line; words besides are passed over.

    Returns:
        ``mark`` and ``output_mark``, those that there are.

    Raises:
        XfrmTextError: A mark is malformed.
    """
    names = {"mark": "mark", "output-mark": "output_mark"}
    found = {}
    for word, value in zip(line.words, (*line.words[1:], ""), strict=True):
        if word in names:
            found[names[word]] = line.mark_in(value)
    return found


def pairs(words: Sequence[str]) -> dict[str, str]:
    """Read ``name value, name value`` and so on; a last name may lack one.

    Args:
        words: Names and values in turn, with or without commas.

    Returns:
        Values by name.
    """
    plain = [word.rstrip(",") for word in words]
    return dict(zip(plain[::2], plain[1::2], strict=False))
