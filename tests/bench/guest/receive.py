"""The bare receive loop: ask for all states, and look at none."""

import socket
import struct

with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6) as kernel:
    kernel.bind((0, 0))
    kernel.send(struct.pack("=IHHII", 16, 0x12, 0x301, 1, 0))
    buffer = bytearray(65536)
    while True:
        count = kernel.recv_into(buffer)
        # The end of a dump is a message of its own: 20 bytes, type 3.
        if struct.unpack_from("=IH", buffer, count - 20) == (20, 3):
            break
