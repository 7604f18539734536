"""Prints states the way iproute2 does, in the variants seen in the field."""

from dataclasses import dataclass
from datetime import UTC, datetime

from runbooks.xfrm.model import XfrmState, key_hash


@dataclass(frozen=True)
class Style:
    detailed: bool = True  # ip -s
    output_mark_on_own_line: bool = False
    words_per_line: int = 8
    sequence_on_own_lines: bool = False
    key: str = "clear"  # clear, hashed, hidden
    unmasked_output_mark: bool = False
    signed_mark: bool = False  # "mark %d/0x%x"
    above_context: tuple[str, ...] = ()  # encap, coa, lastused
    below_context: tuple[str, ...] = ()  # offload, tfcpad, and what came later
    extra_flags: str = ""
    flags: str = ""  # beside esn
    selector: str = "src 0.0.0.0/0 dst 0.0.0.0/0"
    security_context: str = ""


#: What ip/ipxfrm.c printed in each version that changed it.
VERSIONS = {
    "4.9": Style(unmasked_output_mark=True, signed_mark=True),
    "4.9 mobile": Style(
        above_context=("coa 2001:db8::1", "lastused 2026-11-22 23:29:48"),
        flags="af-unspec",
        selector="src 10.0.0.0/8 dst 10.1.0.0/16 proto tcp dport 80 dev eth0",
    ),
    "4.12 offload": Style(
        below_context=("crypto offload parameters: dev eth0 dir in",)
    ),
    "4.14 output-mark": Style(unmasked_output_mark=True, output_mark_on_own_line=True),
    "4.19 if_id": Style(),
    "5.5 encap": Style(
        above_context=("encap type espintcp sport 4500 dport 4500 addr 0.0.0.0",),
        security_context="system_u:object_r:ipsec_spd_t:s0",
    ),
    "5.9 extra_flag": Style(flags="noecn", extra_flags="oseq-may-wrap"),
    "6.1 offload": Style(
        below_context=("crypto offload parameters: dev eth0 dir out mode packet",)
    ),
    "6.7 tfcpad": Style(below_context=("tfcpad 200",)),
    "6.15 iptfs": Style(
        flags="80",
        below_context=(
            "pcpu-num 3",
            "iptfs-opts pkt-size 0 max-queue-size 1048576 drop-time 1000000"
            " reorder-window 3 init-delay 0",
        ),
    ),
}


def _time(seconds):
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _hex(number):
    """``%#x`` of C, which leaves the prefix of zero out."""
    return f"{number:#x}" if number else "0"


def _key(key, style):
    bits = f" ({len(key) * 8} bits)" if style.detailed else ""
    match style.key:
        case "hashed":
            return f"[hash:{key_hash('0x' + key.hex())}]{bits}"
        case "hidden":
            return "<<Keys hidden>>"
        case _:
            return f"0x{key.hex()}{bits}"


def _algorithms(state, keys, style):
    names = state.algorithm.split("+")
    kinds = ["aead"] if len(names) == 1 else ["auth-trunc", "enc"]
    return [
        f"{kind} {name} {_key(key, style)}"
        + ("" if kind == "enc" else f" {state.icv_bits}")
        for kind, name, key in zip(kinds, names, keys, strict=True)
    ]


def _identity(state, style):
    if style.detailed:
        return (
            f"proto esp spi 0x{state.spi:08x}({state.spi})"
            f" reqid {state.reqid}(0x{state.reqid:08x}) mode {state.mode}"
        )
    return f"proto esp spi 0x{state.spi:08x} reqid {state.reqid} mode {state.mode}"


def _is_legacy(state):
    return state.replay_window <= 32 and not state.esn


def _flags(state, style):
    window = f"replay-window {state.replay_window if _is_legacy(state) else 0} "
    flags = " ".join(filter(None, [style.flags, "esn" if state.esn else ""]))
    extra = f"extra_flag {style.extra_flags}" if style.extra_flags else ""
    if style.detailed:
        return f"{window}seq 0x00000000 flag {flags} {extra}(0x10000000)"
    return f"{window}flag {flags}" if flags else window


def _marks(state, style):
    mark = output = ""
    if state.mark:
        value = _hex(state.mark.value)
        if style.signed_mark:
            value = str((state.mark.value ^ 1 << 31) - (1 << 31))
        mark = f"mark {value}/{_hex(state.mark.mask)} "
    if state.output_mark:
        output = f"output-mark {state.output_mark.value:#x}"
        if not style.unmasked_output_mark:
            output += f"/{state.output_mark.mask:#x}"
    return [mark, output] if style.output_mark_on_own_line else [mark + output]


def _context(state, style):
    (hi, lo), (ohi, olo) = divmod(state.seq, 1 << 32), divmod(state.oseq, 1 << 32)
    if _is_legacy(state):
        return [f"anti-replay context: seq {lo:#x}, oseq {olo:#x}, bitmap 0x00000000"]
    words = (state.replay_window + 31) // 32
    joint = "\n\t " if style.sequence_on_own_lines else ", "
    numbers = [f"seq-hi {hi:#x}", f"seq {lo:#x}", f"oseq-hi {ohi:#x}"]
    rows = [
        " " + "ffffffff " * min(style.words_per_line, words - start)
        for start in range(0, words, style.words_per_line)
    ]
    return [
        "anti-replay esn context:",
        f" {joint.join([*numbers, f'oseq {olo:#x}'])}",
        f" replay_window {state.replay_window}, bitmap-length {words}",
        *rows,
    ]


def _statistics(state):
    return [
        "lifetime config:",
        "  limit: soft (INF)(bytes), hard (INF)(bytes)",
        "  limit: soft (INF)(packets), hard (INF)(packets)",
        "  expire add: soft 0(sec), hard 0(sec)",
        "  expire use: soft 0(sec), hard 0(sec)",
        "lifetime current:",
        f"  {state.bytes}(bytes), {state.packets}(packets)",
        f"  add {_time(state.added_s)} use {_time(state.used_s)}",
        "stats:",
        f"  replay-window {state.replay_window_errors} "
        f"replay {state.replay_errors} failed {state.integrity_errors}",
    ]


def render_state(state: XfrmState, keys: list[bytes], style: Style) -> str:
    offload = [line for line in style.below_context if "offload" in line]
    later = [line for line in style.below_context if "offload" not in line]
    lines = [
        _identity(state, style),
        _flags(state, style),
        *_marks(state, style),
        *_algorithms(state, keys, style),
        *style.above_context,
        *_context(state, style),
        *offload,
        *([f"if_id {state.if_id:#x}"] if state.if_id else []),
        *([f"dir {state.dir}"] if state.dir else []),
        *later,
        f"sel {style.selector} " + ("uid 0" if style.detailed else ""),
        *(_statistics(state) if style.detailed else []),
    ]
    if style.security_context:
        lines.append(f"security context {style.security_context} ")
    kept = [f"\t{line}" for line in lines if line.strip()]
    return "\n".join([f"src {state.source} dst {state.destination}", *kept, ""])
