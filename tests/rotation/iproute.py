"""What iproute2 prints of made-up states and policies."""

#: What every node has beside its peers' policies: plain text is blocked.
BLOCK = (
    "src 0.0.0.0/0 dst 0.0.0.0/0 uid 0\n"
    "\tdir out action block index 1 priority 100 ptype main\n"
    "\tlifetime current:\n"
    "\t  add 2026-01-02 03:04:05 use -\n"
    "\tmark 0xe00/0xf00\n"
)


def policies(found):
    """``ip -s xfrm policy``."""
    return BLOCK + "".join(
        f"src {policy.source} dst {policy.destination} uid 0\n"
        "\tdir out action allow index 17 priority 0 ptype main\n"
        "\tlifetime current:\n"
        "\t  add 2026-01-02 03:04:05 use -\n"
        f"\tmark 0x{policy.mark.value:x}/0x{policy.mark.mask:x}\n"
        f"\ttmpl src {template.source} dst {template.destination}\n"
        f"\t\tproto esp spi 0x{template.spi:08x}({template.spi})"
        " reqid 1(0x00000001) mode tunnel\n"
        "\t\tlevel required share any\n"
        "\t\tenc-mask ffffffff auth-mask ffffffff comp-mask ffffffff\n"
        for policy in found
        for template in policy.templates
    )


def states(found, key_of):
    """``ip -s xfrm state``, keys included.

    Args:
        found: The states.
        key_of: Gives the key of a source and a destination address.
    """
    return "".join(_state(s, key_of(s.source, s.destination)) for s in found)


def _state(state, key):
    zeros = " ".join(["00000000"] * 8) + " "
    lines = [
        f"src {state.source} dst {state.destination}",
        f"\tproto esp spi 0x{state.spi:08x}({state.spi}) reqid 1(0x00000001)"
        " mode tunnel",
        "\treplay-window 0 seq 0x00000000 flag esn (0x10000000)",
        f"\tmark 0x{state.mark.value:x}/0x{state.mark.mask:x}"
        f" output-mark 0x{state.output_mark.value:x}/0xffffff00",
        f"\taead rfc4106(gcm(aes)) 0x{key.hex()} (160 bits) 128",
        "\tanti-replay esn context:",
        f"\t seq-hi 0x0, seq 0x{state.seq:x}, oseq-hi 0x0, oseq 0x{state.oseq:x}",
        "\t replay_window 1024, bitmap-length 32",
        *[f"\t {zeros}"] * 4,
        "\tsel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0",
        "\tlifetime config:",
        "\t  limit: soft (INF)(bytes), hard (INF)(bytes)",
        "\t  limit: soft (INF)(packets), hard (INF)(packets)",
        "\t  expire add: soft 0(sec), hard 0(sec)",
        "\t  expire use: soft 0(sec), hard 0(sec)",
        "\tlifetime current:",
        f"\t  {state.bytes}(bytes), {state.packets}(packets)",
        "\t  add 2026-01-02 03:04:05 use 2026-01-02 03:04:06",
        "\tstats:",
        "\t  replay-window 0 replay 0 failed 0",
    ]
    return "\n".join(lines) + "\n"
