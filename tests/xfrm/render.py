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


def _time(seconds):
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _key(key, style):
    match style.key:
        case "hashed":
            return f"[hash:{key_hash('0x' + key.hex())}]"
        case "hidden":
            return "<<Keys hidden>>"
        case _:
            bits = f" ({len(key) * 8} bits)" if style.detailed else ""
            return f"0x{key.hex()}{bits}"


def _context(state):
    hi, lo = divmod(state.seq, 1 << 32)
    ohi, olo = divmod(state.oseq, 1 << 32)
    return hi, lo, ohi, olo


def render_state(state: XfrmState, keys: list[bytes], style: Style) -> str:
    d = style.detailed
    names = state.algorithm.split("+")
    legacy = state.replay_window <= 32 and not state.esn
    flags = "esn" if state.esn else ""
    lines = [
        f"\tproto esp spi 0x{state.spi:08x}{f'({state.spi})' if d else ''} reqid "
        f"{state.reqid}{f'(0x{state.reqid:08x})' if d else ''} mode {state.mode}",
        f"\treplay-window {state.replay_window if legacy else 0} "
        + (f"seq 0x00000000 flag {flags} (0x10000000)" if d else f"flag {flags}"),
    ]
    mark = output = ""
    if state.mark:
        mark = f"mark {state.mark.value:#x}/{state.mark.mask:#x} "
    if state.output_mark:
        output = f"output-mark {state.output_mark.value:#x}"
        if not style.unmasked_output_mark:
            output += f"/{state.output_mark.mask:#x}"
    separate = style.output_mark_on_own_line
    lines += [f"\t{line}" for line in ([mark, output] if separate else [mark + output])]
    kinds = ["aead"] if len(names) == 1 else ["auth-trunc", "enc"]
    for kind, name, key in zip(kinds, names, keys, strict=True):
        icv = "" if kind == "enc" else f" {state.icv_bits}"
        lines.append(f"\t{kind} {name} {_key(key, style)}{icv}")
    hi, lo, ohi, olo = _context(state)
    if legacy:
        lines.append(
            f"\tanti-replay context: seq {lo:#x}, oseq {olo:#x}, bitmap 0x00000000"
        )
    else:
        words = (state.replay_window + 31) // 32
        joint = "\n\t " if style.sequence_on_own_lines else ", "
        numbers = [f"seq-hi {hi:#x}", f"seq {lo:#x}", f"oseq-hi {ohi:#x}"]
        lines += [
            "\tanti-replay esn context:",
            f"\t {joint.join([*numbers, f'oseq {olo:#x}'])}",
            f"\t replay_window {state.replay_window}, bitmap-length {words}",
        ]
        for start in range(0, words, style.words_per_line):
            count = min(style.words_per_line, words - start)
            lines.append("\t " + "ffffffff " * count)
    if state.if_id:
        lines.append(f"\tif_id {state.if_id:#x}")
    if state.dir:
        lines.append(f"\tdir {state.dir}")
    lines.append("\tsel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0")
    if d:
        lines += [
            "\tlifetime config:",
            "\t  limit: soft (INF)(bytes), hard (INF)(bytes)",
            "\t  limit: soft (INF)(packets), hard (INF)(packets)",
            "\t  expire add: soft 0(sec), hard 0(sec)",
            "\t  expire use: soft 0(sec), hard 0(sec)",
            "\tlifetime current:",
            f"\t  {state.bytes}(bytes), {state.packets}(packets)",
            f"\t  add {_time(state.added_s)} use {_time(state.used_s)}",
            "\tstats:",
            f"\t  replay-window {state.replay_window_errors} "
            f"replay {state.replay_errors} failed {state.integrity_errors}",
        ]
    kept = [line for line in lines if line.strip()]
    return "\n".join([f"src {state.source} dst {state.destination}", *kept, ""])
