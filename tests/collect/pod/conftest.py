"""A node's commands, made up, for the scripts that call them."""

import os
import subprocess

import pytest

from runbooks.collect.pod import script
from tests.collect.pod.container import ADDRESS, POLICIES


@pytest.fixture
def node(tmp_path):
    """A container's commands; what ``ip`` prints is in a file of the test's."""
    commands = tmp_path / "bin"
    commands.mkdir()
    dump = tmp_path / "dump"
    for name, body in {
        "ip": f'case "$*" in *state*) cat {dump};; *policy*) cat {tmp_path}/policies'
        f";; *) cat {tmp_path}/addresses;; esac",
        "cilium-dbg": 'case $1 in version) echo "Client: 1.18.0 abc go version x"; '
        'echo "Daemon: 1.18.1 abc go version x";; '
        """*) echo '{ "ipsec": {'; echo '"keys-in-use": 1, "x": 2 } }';; esac""",
        "sha256sum": f'echo "$@" >>{tmp_path}/arguments; exec /usr/bin/sha256sum "$@"',
    }.items():
        command = commands / name
        command.write_text(f"#!/bin/sh\n{body}\n")
        command.chmod(0o755)
    (tmp_path / "policies").write_text(POLICIES)
    (tmp_path / "addresses").write_text(
        "1: lo: <LOOPBACK,UP>\n    inet 127.0.0.1/8 scope host lo\n"
        "2: eth0: <UP>\n    link/ether x\n"
        f"    inet {ADDRESS}/24 brd 1 scope global eth0\n"
        "3: cilium_host@cilium_net: <UP>\n    inet 10.0.1.9/32 scope global cilium_host"
        "\n    inet6 fe80::1/64 scope link\n"
    )

    def run(name, text, *arguments):
        dump.write_text(text)
        return subprocess.run(
            ["bash", "-c", script(name), "read-node", *arguments],
            env=os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )

    return run
