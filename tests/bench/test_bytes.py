"""What a node sends to a check, by its number of peers."""

from __future__ import annotations

import os
import subprocess
import time
from importlib import resources

import pytest

from runbooks.collect.pod import script
from tests.measurements import spread, write_table
from tests.rotation import iproute
from tests.rotation.fleet import Fleet, Node

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
PEERS = (2, 50, 250, 1000, 4000)
#: With more, the full text takes minutes.
MOST_WITH_TEXT = 250
#: What every node has, and what it has for each peer.
OWN_POLICIES = """\
src 0.0.0.0/0 dst 0.0.0.0/0
	dir out action block priority 100
	mark 0xe00/0xf00
src 0.0.0.0/0 dst 0.0.0.0/0
	dir fwd priority 2975
	tmpl src 0.0.0.0 dst 10.0.0.10
		proto esp reqid 1 mode tunnel
		level use
src 0.0.0.0/0 dst 0.0.0.0/0
	dir in priority 0
	mark 0xd00/0xf00
	tmpl src 0.0.0.0 dst 10.0.0.10
		proto esp reqid 1 mode tunnel
		level use
"""
POLICY = """\
src 0.0.0.0/0 dst {prefix}
	dir out priority 0
	mark {mark:#x}/0xffffff00
	tmpl src 10.0.0.10 dst {ip}
		proto esp spi 0x00000003 reqid 1 mode tunnel
"""
COUNTERS = "XfrmInError 3\nXfrmInNoStates 1207\nXfrmFwdHdrError 88\n"


class Peer(Node):
    """A node of a cluster larger than a fleet is."""

    @property
    def cilium_ip(self):
        return f"10.{self.number // 250}.{self.number % 250}.10"


@pytest.fixture
def node(tmp_path):
    """A node with so many peers; runs a script as its agent's container would."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, body in {
        "ip": f'case "$*" in *state*) cat {tmp_path}/states;; '
        f"*policy*) cat {tmp_path}/policies;; esac",
        "cat": f'case "$*" in *xfrm_stat) exec /bin/cat {tmp_path}/counters;; esac\n'
        'exec /bin/cat "$@"',
        "cilium-dbg": 'case $1 in version) echo "Client: 1.18.0"; '
        """echo "Daemon: 1.18.0";; *) echo '{"ipsec": {"keys-in-use": 1}}';; esac""",
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{body}\n")
        (commands / name).chmod(0o755)
    (tmp_path / "counters").write_text(COUNTERS)

    def run(peers, text, *arguments):
        (tmp_path / "states").write_text(dump_of(peers))
        (tmp_path / "policies").write_text(policies_of(peers))
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", text, "read-node", *arguments],
            env=os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"},
            capture_output=True,
            check=True,
        )
        return len(done.stdout) + len(done.stderr), time.monotonic() - began

    return run


def dump_of(peers, cache={}):  # noqa: B006 - the same text for every round
    """``ip -s xfrm state`` of a node with so many peers, each with its own keys."""
    if peers not in cache:
        own = Peer(0, {3: None})
        states = [
            Fleet._state(*ends, 3, bytes(20), action, 4711 * n)
            for n in range(1, peers + 1)
            for ends, action in (
                ((Peer(n, {}), own), 0x0D00),
                ((own, Peer(n, {})), 0x0E00),
            )
        ]
        numbers = {}
        cache[peers] = iproute.states(
            states,
            lambda *ends: numbers.setdefault(ends, len(numbers)).to_bytes(20, "big"),
        )
    return cache[peers]


def policies_of(peers):
    """``ip xfrm policy`` of such a node."""
    others = (Peer(n, {}).cilium_ip for n in range(1, peers + 1))
    return OWN_POLICIES + "".join(
        POLICY.format(
            prefix=ip.rpartition(".")[0] + ".0/24",
            mark=number << 16 | 0x3E00,
            ip=ip,
        )
        for number, ip in enumerate(others, start=1)
    )


def test_bytes_that_a_healthy_node_sends(node):
    full = resources.files("runbooks.collect").joinpath("read_node.sh").read_text()
    rows = []
    for peers in PEERS:
        states = 2 * peers
        brief_s, compact_s = [], []
        for _ in range(ROUNDS):
            brief = [node(peers, script("brief"), s) for s in ("first", "second")]
            compact = [node(peers, script("compact"), s) for s in ("first", "second")]
            brief_s.append(brief[0][1])
            compact_s.append(compact[0][1])
        text = "not tried"
        if peers <= MOST_WITH_TEXT:
            moved = sum(node(peers, full, extent)[0] for extent in ("full", "brief"))
            text = f"{moved:,}"
        default = sum(moved for moved, _ in brief)
        audit = sum(moved for moved, _ in compact)
        assert default <= 2048
        if peers >= 50:
            assert audit / 2 <= 100 * states
        rows.append(
            (
                f"{peers:,}",
                f"{default:,}",
                f"{audit:,}",
                f"{audit / 2 / states:.0f}",
                text,
                spread(brief_s),
                spread(compact_s),
            )
        )
    write_table(
        "bytes",
        "What a node sends to a check",
        "``make bench``: the scripts of a check, run by this machine's bash and mawk on"
        " what ``ip -s xfrm state`` prints of a node with two states for each peer and"
        " a key for each state, and a policy for each peer. Bytes are those of both"
        " samples of one healthy node, on standard output and standard error; the full"
        " text is what a snapshot folder"
        f" holds. With each sample goes the script itself, {len(script('brief')):,}"
        f" bytes for the default depth and {len(script('compact')):,} for an audit."
        f" Seconds are those of a first sample, {ROUNDS} rounds.",
        (
            "Peers",
            "Default, bytes",
            "Audit, bytes",
            "Audit, bytes for each state and sample",
            "Full text, bytes",
            "Default, on the node",
            "Audit, on the node",
        ),
        rows,
    )
