"""One kernel without a lab around it: runs a script, and is gone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_INIT = """\
#!/bin/sh
# First process of the kernel: what a script about XFRM needs, then the script.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONDONTWRITEBYTECODE=1 HOME=/run TMPDIR=/run
export PYTHON={python} PYTHONPATH={path}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/lib/modules /run/out
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/lib/modules/$(uname -r)"
printf '#!/bin/sh\\nexec modprobe -d /run "$@"\\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
mount -t hostfs -o {out} none /run/out
ip link set lo up
cd /run
sh -eu {script} > /run/out/stdout 2> /run/out/stderr
echo $? > /run/out/status
poweroff -f
"""


def run_in_guest(
    directory: Path, script: str, memory: str = "256M", within_s: float = 120
) -> str:
    """Start a kernel, run a shell script in it as root, and wait for its end.

    The root file system is this machine's, read-only; ``/run`` is the kernel's own.
    ``$PYTHON`` is the Python of these tests, and finds ``runbooks`` and ``tests``.

    Args:
        directory: An empty folder for what the kernel needs.
        script: Lines of ``sh -eu``.
        memory: Of the kernel.
        within_s: Limit for all of it.

    Returns:
        What the script printed.

    Raises:
        AssertionError: It failed; with what it wrote to its standard error.
    """
    out = directory / "out"
    out.mkdir()
    path = directory / "script"
    path.write_text(script)
    init = directory / "init"
    places = {"python": sys.executable, "path": ROOT, "out": out, "script": path}
    init.write_text(
        _INIT.format_map({k: shlex.quote(str(v)) for k, v in places.items()})
    )
    init.chmod(0o700)
    done = subprocess.run(
        [
            "linux.uml",
            f"mem={memory}",
            *("rootfstype=hostfs", "rootflags=/", "ro", "quiet"),
            f"init={init}",
            "umid=guest",
            f"uml_dir={directory}/uml",
            *("con=null", "con0=null,fd:1", "con1=null", "ssl=null"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=within_s,
        check=False,
    )
    status = out / "status"
    assert status.exists(), f"the kernel ended early:\n{done.stdout}"
    errors = (out / "stderr").read_text()
    assert status.read_text().strip() == "0", errors
    return (out / "stdout").read_text()
