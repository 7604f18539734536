"""Write commands for ``ip -batch``: states of pairs as Cilium 1.18 has them.

Usage: batch.py STATES. Keys are drawn here, and are gone with the kernel.
"""

from __future__ import annotations

import os
import sys

OWN = "10.0.0.1"


def state(source: str, destination: str, mark: str, output_mark: str) -> str:
    return (
        f"xfrm state add src {source} dst {destination} proto esp spi 3 reqid 1"
        f" mode tunnel replay-window 1024 flag esn mark {mark}"
        f" output-mark {output_mark} mask 0xffffff00"
        f" aead rfc4106(gcm(aes)) 0x{os.urandom(20).hex()} 128"
    )


for number in range(int(sys.argv[1]) // 2):
    peer = f"10.{100 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    node_id = number + 1
    print(state(peer, OWN, f"{node_id << 16 | 0xD00:#x} mask 0xffff0f00", "0xd00"))
    print(state(OWN, peer, f"{node_id << 16 | 0x3E00:#x} mask 0xffffff00", "0xe00"))
