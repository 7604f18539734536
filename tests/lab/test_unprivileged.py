"""The same cluster for a user who has no rights on this machine."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import runbooks

USER = 12345
#: What the user has to reach: the interpreter, its packages, this package.
NEEDED = {
    Path(sys.base_prefix),
    Path(sys.prefix),
    Path(runbooks.__file__).resolve().parents[1],
}

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]


def as_user(script: str) -> subprocess.CompletedProcess:
    """Run a script as a user without rights, in a mount namespace of its own.

    Folders that only root may enter are opened there as far as is needed.
    """
    closed = {
        parent
        for path in NEEDED
        for parent in path.parents
        if not parent.stat().st_mode & 0o001
    }
    opened = []
    for number, folder in enumerate(sorted(closed)):
        inside = [path for path in NEEDED if folder in path.parents]
        kept = {path: f"/mnt/{number}-{i}" for i, path in enumerate(inside)}
        opened.append("mount -t tmpfs tmpfs /mnt")
        opened += [f"mkdir {kept[p]}; mount --bind {p} {kept[p]}" for p in inside]
        opened.append(f"mount -t tmpfs -o mode=755 tmpfs {folder}")
        opened += [f"mkdir -p {p}; mount --bind {kept[p]} {p}" for p in inside]
    user = f"setpriv --reuid {USER} --regid {USER} --clear-groups"
    home = f"env HOME=/nonexistent PATH={Path(sys.executable).parent}:$PATH"
    lines = ["set -e", *opened, f"exec {user} {home} sh -ec {shlex.quote(script)}"]
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", "\n".join(lines)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_ordinary_user_gets_the_same_cluster():
    name = f"plain-{os.getpid()}"
    done = as_user(
        f"""
        id -u
        trap 'ipsec-runbooks lab down --name {name}' EXIT
        ipsec-runbooks lab up --name {name} --nodes 2
        pod=$(ipsec-runbooks lab exec --name {name} node2 -- \
          ip -n pod -4 -o addr show dev eth0 | awk '{{sub("/.*", "", $4); print $4}}')
        ipsec-runbooks lab exec --name {name} node1 -- \
          ip netns exec pod ping -c3 -i0.2 -W2 "$pod"
        export KUBECONFIG=/tmp/ipsec-runbooks-{USER}/{name}/kubeconfig
        ipsec-runbooks check
        ipsec-runbooks lab status --name {name}
        """
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert said.startswith(f"{USER}\n")
    assert "3 packets transmitted, 3 received" in said
    assert "Verdict: healthy" in said
    assert "0 plain ones from pods" in said
    assert said.endswith(f"Lab '{name}' is down.\n")
    assert not Path(f"/tmp/ipsec-runbooks-{USER}").exists()


def test_a_system_that_forbids_it_is_told_in_one_line():
    name = f"forbidden-{os.getpid()}"
    # One user namespace without room for another: what such systems are like.
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-user=1000", "--keep-caps", "sh", "-c"),
            "echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv "
            "--bounding-set=-all --inh-caps=-all --ambient-caps=-all "
            f"{sys.executable} -m runbooks lab up --name {name} --nodes 2",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "this user may not make namespaces" in line
    assert "run as root, or allow unprivileged user namespaces" in line
