"""Nodes as namespaces of the machine's own kernel, where that has ESP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import runbooks
from runbooks.lab import launch
from runbooks.lab.plan import Lab, LabError

ROOT = Path(runbooks.__file__).resolve().parents[1]
#: What a machine's own init has done by the time somebody logs in.
INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} HOME=/run
mount -t tmpfs tmpfs /run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /var/tmp
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
  [ -e "/dev/${{link%%:*}}" ] || ln -s "/proc/self/${{link#*:}}" "/dev/${{link%%:*}}"
done
mkdir -p /run/lib/modules /run/labs
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/lib/modules/$(uname -r)"
printf '#!/bin/sh\\nexec modprobe -d /run "$@"\\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
ip link set lo up
export IPSEC_RUNBOOKS_LABS=/var/tmp/labs
{python} {script}
[ -e /var/tmp/labs ] || echo "no folder"
echo "devices:" /sys/class/net/*
poweroff -f
"""


def has_esp() -> bool:
    """Whether this machine's kernel lists the protocol."""
    return any("rfc4106" in line for line in Path("/proc/crypto").open())


@pytest.mark.skipif(has_esp(), reason="this machine's kernel has ESP")
def test_a_kernel_without_esp_is_named_with_the_way_out():
    with pytest.raises(LabError, match=r"kernel has no ESP .* modprobe -a xfrm_user"):
        launch.up(Lab(f"host-{os.getpid()}", 2, nodes_on="host"), print)
    assert not Lab(f"host-{os.getpid()}").directory.exists()


def test_an_ordinary_user_is_told_that_it_needs_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match=r"need root; leave --nodes-on host away"):
        launch.up(Lab("never-was", 2, nodes_on="host"), print)


@pytest.mark.lab
def test_nodes_on_a_kernel_that_has_esp_are_the_same_cluster(tmp_path):
    init = tmp_path / "init"
    script = ROOT / "tests/lab/host_guest.py"
    init.write_text(INIT.format(python=sys.executable, script=script, path=ROOT))
    init.chmod(0o700)
    done = subprocess.run(
        [
            *("linux.uml", "mem=1200M", "rootfstype=hostfs", "rootflags=/", "ro"),
            *("quiet", "cryptomgr.notests", f"init={init}", "umid=host"),
            *(f"uml_dir={tmp_path}/uml", "con=null", "con0=null,fd:1", "con1=null"),
            "ssl=null",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    lines = done.stdout.splitlines()
    told = [line for line in lines if line.startswith("FOUND ")]
    assert told, done.stdout + done.stderr
    found = json.loads(told[0].removeprefix("FOUND "))
    up, stale, rebooted = found["up"], found["stale"], found["rebooted"]
    assert up["node1"]["boot_id"] != up["node2"]["boot_id"]
    assert all(row["spis"] == [3] for row in up.values())
    assert (found["ping"], found["stale ping"], found["healed ping"]) == (0, 1, 0)
    assert stale["node2"]["counters"]["XfrmInStateProtoError"] >= 3
    assert "XfrmInStateProtoError" not in stale["node1"]["counters"]
    assert stale["node1"]["wire"]["esp"] > 50_000
    assert all(row["wire"]["plain"] == 0 for row in rebooted.values())
    assert rebooted["node1"]["boot_id"] != up["node1"]["boot_id"]
    assert rebooted["node2"]["boot_id"] == up["node2"]["boot_id"]
    # Nothing is left: no folder of the lab, and of the devices only the kernel's own.
    left = lines[lines.index(told[0]) + 1 :]
    assert left[:2] == ["no folder", "devices: /sys/class/net/lo"]
