"""Writes compact states as an agent's pod does, slowly and plainly."""

from functools import lru_cache

from runbooks.xfrm.compact import DIGITS, FAILED, LAST_SPI, OUT, PLAIN, WIDE


@lru_cache(maxsize=1 << 16)
def digits(number, width):
    found = ""
    for _ in range(width):
        number, digit = divmod(number, 64)
        found = DIGITS[digit] + found
    assert number == 0
    return found


def line(row):
    """One row, a mapping, in the narrowest layout that holds it."""
    outbound = row["direction"] == OUT
    number, other = (row["oseq"], row["seq"]) if outbound else (row["seq"], row["oseq"])
    assert 0 < row["spi"] <= LAST_SPI
    values = row | {
        "kind": row["spi"] << 2 | outbound << 1 | row["esn"],
        "number": number,
    }
    errors = row["window_errors"] or row["replay_errors"] or row["failed"]
    columns = FAILED if errors else PLAIN
    if other or number >= 1 << 48 or row["packets"] >= 1 << 48:
        columns = WIDE
    return "".join(digits(values[name], width) for name, width in columns.items())


def compact_text(states):
    """All of a node's states."""
    names = states.rows.dtype.names
    rows = [dict(zip(names, row, strict=True)) for row in states.rows.tolist()]
    return "\n".join(
        [
            *(f"@{address}" for address in states.addresses),
            *(line(row) for row in rows),
            f"= {len(rows)} {states.others}",
            "",
        ]
    )
