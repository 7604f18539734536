"""What the pods of a large cluster send in an audit, made in columns.

``python -m tests.bench.audit_input FOLDER NODES`` writes a file for each node and
sample; the cluster's peers have just forgotten one node and learned it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from runbooks.xfrm.compact import (
    DIGITS,
    FAILED,
    IN,
    OUT,
    PLAIN,
    ROW,
    CompactStates,
)

MADE_S = 1_800_000_000
SPI = 3
WINDOW = 1024
MOST_STATES = 4000
SENT = 3_000_000
#: What the senders sent to the stale node since they made their states anew.
FRESH = 1200
#: Packets of each pair between the samples.
MEANWHILE = 50
SAMPLES = ("first", "second")
_DIGITS = np.frombuffer(DIGITS.encode(), dtype=np.uint8)


def states_per_peer(nodes: int) -> int:
    """Four, the encrypted overlay's; two where a node had more than 4,000."""
    return 4 if (nodes - 1) * 4 <= MOST_STATES else 2


def stale_node(nodes: int) -> int:
    """The node that its peers forgot."""
    return nodes // 3


def node_name(number: int) -> str:
    """A name that sorts as its number does."""
    return f"node{number:05}"


def address(number: int, kind: int) -> str:
    """A node's CiliumInternalIP or its node IP."""
    return (
        f"{(10, 172)[kind]}.{number // 65536 + 16}.{number // 256 % 256}.{number % 256}"
    )


def node_states(node: int, nodes: int, sample: str) -> CompactStates:
    """One node's states, in the order in which its kernel lists them."""
    kinds = states_per_peer(nodes) // 2
    peer = np.delete(np.arange(nodes), node)[:, None]
    kind = np.arange(kinds)[None, :]
    # Addresses are numbered as they come: own, the first peer's, own, and so on.
    own = np.broadcast_to(2 * kind, (nodes - 1, kinds))
    theirs = np.arange((nodes - 1) * kinds).reshape(-1, kinds) + kinds
    theirs[0] = 2 * kind + 1
    rows = np.zeros((nodes - 1, kinds, 2), dtype=ROW)
    meanwhile = MEANWHILE if sample == "second" else 0
    for way, direction in enumerate((OUT, IN)):
        part, outbound = rows[:, :, way], direction == OUT
        sender, receiver = (node, peer) if outbound else (peer, node)
        part["source"], part["destination"] = (
            (own, theirs) if outbound else (theirs, own)
        )
        part["direction"] = direction
        part["key"] = _key_numbers((sender * nodes + receiver) * 2 + kind)
        sent = SENT + (sender * 7919 + receiver * 104_729) % 1_000_000
        forgotten = receiver == stale_node(nodes)
        if outbound:
            part["oseq"] = np.where(forgotten, FRESH, sent) + meanwhile
            part["packets"] = part["oseq"]
            part["added_s"] = MADE_S + np.where(forgotten, 86_400, 0)
        else:
            part["seq"] = part["packets"] = sent + np.where(forgotten, 0, meanwhile)
            part["added_s"] = MADE_S
            part["failed"] = np.where(forgotten, FRESH + meanwhile, 0)
    rows["spi"], rows["esn"], rows["window"] = SPI, 1, WINDOW
    rows["node_id"] = peer[:, :, None] + 1
    rows["used_s"] = MADE_S + 90_000 + meanwhile
    names = [address(node, 0), *([address(node, 1)] if kinds > 1 else [])]
    others = [address(n, k) for n in peer[:, 0].tolist() for k in range(kinds)]
    names[1:1] = others[:1]
    names += others[1:]
    return CompactStates(tuple(names), rows.reshape(-1))


def compact_text(states: CompactStates) -> bytes:
    """Lines for states, as quickly as for a thousand nodes."""
    rows = states.rows
    failed = (rows["failed"] != 0).tolist()
    if any(failed):
        plain, longer = _lines(rows, PLAIN), _lines(rows, FAILED)
        chosen = [b if f else a for f, a, b in zip(failed, plain, longer, strict=True)]
        lines = b"".join(chosen)
    else:
        lines = b"".join(_lines(rows, PLAIN))
    addresses = "".join(f"@{a}\n" for a in states.addresses)
    return lines + f"{addresses}= {len(rows)} 0\n".encode()


def write(folder: Path, nodes: int) -> int:
    """Write all files.

    Returns:
        Bytes that were written.
    """
    size = 0
    for sample in SAMPLES:
        for number in range(nodes):
            text = compact_text(node_states(number, nodes, sample))
            (folder / f"{sample}-{node_name(number)}").write_bytes(text)
            size += len(text)
    return size


def _key_numbers(pair):
    """Numbers that look like hashes, the same at both ends."""
    return (np.asarray(pair, dtype=np.uint64) + np.uint64(1)) * np.uint64(
        0x9E3779B97F4A7C15
    )


def _lines(rows, columns: dict[str, int]) -> list[bytes]:
    outbound = rows["direction"] == OUT
    beside = {
        "kind": rows["spi"] << 2 | outbound.astype(np.uint8) << 1 | rows["esn"],
        "number": np.where(outbound, rows["oseq"], rows["seq"]),
    }
    text = np.empty((len(rows), sum(columns.values()) + 1), dtype=np.uint8)
    at = 0
    for name, width in columns.items():
        number = (beside[name] if name in beside else rows[name]).astype(np.uint64)
        for position in range(width):
            digit = number >> np.uint64(6 * (width - 1 - position))
            text[:, at] = _DIGITS[digit & np.uint64(63)]
            at += 1
    text[:, at] = ord("\n")
    return text.view(f"S{at + 1}")[:, 0].tolist()


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(sys.argv[2])))
