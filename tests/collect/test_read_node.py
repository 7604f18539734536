"""The script that runs inside an agent's container."""

import hashlib
import os
import subprocess
from importlib import resources

import pytest

from runbooks.collect.agent_exec import _PART
from runbooks.xfrm.text import parse_state_text

KEY = "0x" + "0123456789abcdef0123456789abcdef01234567"  # a throwaway, made up here
AUTH = "0x" + "feedface" * 8
STATE = """\
src 10.9.0.12 dst 10.9.0.11
\tproto esp spi 0x00000007(7) reqid 1(0x00000001) mode tunnel
\treplay-window 0 seq 0x00000000 flag esn (0x10000000)
\tmark 0x15b60d00/0xffff0f00 output-mark 0xd00/0xffffff00
%s
\tanti-replay esn context:
\t seq-hi 0x0, seq 0x5fa, oseq-hi 0x0, oseq 0x0
\t replay_window 64, bitmap-length 2
\t 00000000 00000000
\tlifetime current:
\t  840(bytes), 10(packets)
\t  add 2026-11-22 23:33:58 use 2026-11-22 23:34:11
\tstats:
\t  replay-window 0 replay 0 failed 0
"""
AEAD = f"\taead rfc4106(gcm(aes)) {KEY} (160 bits) 128"
AUTH_ENC = (
    f"\tauth-trunc hmac(sha256) {AUTH} (256 bits) 96\n\tenc cbc(aes) {KEY} (128 bits)"
)


@pytest.fixture
def node(tmp_path):
    """A container's commands; what ``ip`` prints is in a file of the test's."""
    commands = tmp_path / "bin"
    commands.mkdir()
    dump = tmp_path / "dump"
    for name, body in {
        "ip": f'case "$*" in *state*) cat {dump};; *policy*) ;; *) echo lo;; esac',
        "cilium-dbg": 'echo "Client: 1.18.0 abc"; echo "Daemon: 1.18.0 abc"',
    }.items():
        command = commands / name
        command.write_text(f"#!/bin/sh\n{body}\n")
        command.chmod(0o755)

    def run(text, sample="full"):
        dump.write_text(text)
        script = resources.files("runbooks.collect").joinpath("read_node.sh")
        return subprocess.run(
            ["bash", "-c", script.read_text(), "read-node", sample],
            env=os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def part(printed, name):
    return {m["name"]: m["text"] for m in _PART.finditer(printed)}[name]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_keys_leave_the_node_as_hashes_only(node):
    printed = node(STATE % AEAD + STATE % AUTH_ENC)

    one, two = parse_state_text(part(printed, "ip--s-xfrm-state"))
    assert one.key_hash == sha256(KEY)
    assert two.key_hash == f"{sha256(AUTH)}+{sha256(KEY)}"
    for key in (KEY, AUTH):
        assert key[2:] not in printed


def test_dump_is_otherwise_unchanged(node):
    printed = part(node(STATE % AEAD), "ip--s-xfrm-state")

    expected = STATE % AEAD.replace(KEY, f"[hash:{sha256(KEY)}]")
    assert printed.strip("\n") == expected.strip("\n")


def test_second_sample_hides_keys_and_keeps_numbers(node):
    printed = node(STATE % AEAD, "brief")

    (state,) = parse_state_text(part(printed, "ip--s-xfrm-state"))
    assert (state.seq, state.key_hash) == (1530, None)
    assert KEY[2:] not in printed
    assert "xfrm-policy" not in printed


def test_node_without_states_has_an_empty_dump(node):
    assert parse_state_text(part(node(""), "ip--s-xfrm-state")) == []


def test_thousands_of_states_share_the_hashing_of_a_key(node):
    printed = node(STATE % AEAD * 2000)

    states = parse_state_text(part(printed, "ip--s-xfrm-state"))
    assert len(states) == 2000
    assert {state.key_hash for state in states} == {sha256(KEY)}
