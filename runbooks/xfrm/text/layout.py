"""A whole state as ``ip -s xfrm state`` prints it, as one regular expression.

Lines in the order of iproute2's ``xfrm_state_info_print`` (ip/ipxfrm.c, 4.9 to
6.15), with those that a state of Cilium can have. States with other lines (encap,
offload, coa) don't match. Lines that are the same in most states are taken whole,
since a run of anything up to the end of a line is what the expression passes fastest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE = r"[^\n]*"
_MARK = r"(?:0x[0-9a-f]{1,8}|0)"
_HEX = r"([0-9a-f]{1,8})"
_KEY = r"([^ \n]{1,64}) (?:(0x[^ ]{2,256})|\[hash:([^ ]{64})\])([^\n]*)"
STATE = re.compile(
    r"^src ([^ ]{2,45}) dst ([^\n]{2,45})\n"
    rf"(\tproto {_LINE})\n"
    rf"(\treplay-window {_LINE})\n"
    rf"(?:\tmark ({_MARK}/{_MARK}) (?:output-mark ({_MARK}(?:/{_MARK})?))?\n)?+"
    rf"(?:\toutput-mark ({_MARK}(?:/{_MARK})?)\n)?+"
    rf"\t(?:aead|auth-trunc) {_KEY}\n"
    rf"(?:\tenc {_KEY}\n)?+"
    r"\tanti-replay (?:esn context:\n"
    rf"\t seq-hi 0x{_HEX}, seq 0x{_HEX}, oseq-hi 0x{_HEX}, oseq 0x{_HEX}\n"
    rf"\t replay_window ([0-9]{{1,9}}), bitmap-length ([0-9]{{1,9}})\n"
    rf"((?:\t {_LINE}\n)*+)"
    rf"|context: seq 0x{_HEX}, oseq 0x{_HEX}, bitmap 0x[0-9a-f]{{8}}\n)"
    rf"(?:\tif_id 0x{_HEX}\n)?+(?:(\tdir {_LINE})\n)?+"
    rf"(\tsel (?:{_LINE}\n){{7}})"
    r"\t  ([0-9]{1,20})\(bytes\), ([0-9]{1,20})\(packets\)\n"
    r"\t  add ([^\n]{1,19}) use ([^\n]{1,19})\n"
    rf"\tstats:\n(\t  {_LINE})\n(?=src |\Z)",
    re.ASCII | re.MULTILINE,
)


class Groups(NamedTuple):
    """What the expression takes from states, a column each; ``None`` for absent.

    Attributes are named after the fields of the line that they come from; those
    that end in ``_line`` are lines as they stand.
    """

    source: Sequence[str]
    destination: Sequence[str]
    identity_line: Sequence[str]
    flags_line: Sequence[str]
    mark: Sequence[str | None]
    output_mark: Sequence[str | None]
    output_mark_below: Sequence[str | None]
    name: Sequence[str]
    key: Sequence[str | None]
    hashed: Sequence[str | None]
    lengths: Sequence[str]
    name_2: Sequence[str | None]
    key_2: Sequence[str | None]
    hashed_2: Sequence[str | None]
    lengths_2: Sequence[str | None]
    seq_hi: Sequence[str | None]
    seq: Sequence[str]
    oseq_hi: Sequence[str]
    oseq: Sequence[str]
    window: Sequence[str]
    bitmap_length: Sequence[str]
    bitmap_lines: Sequence[str]
    legacy_seq: Sequence[str | None]
    legacy_oseq: Sequence[str]
    if_id: Sequence[str | None]
    dir_line: Sequence[str | None]
    limit_lines: Sequence[str]
    bytes: Sequence[str]
    packets: Sequence[str]
    added: Sequence[str]
    used: Sequence[str]
    stats_line: Sequence[str]
