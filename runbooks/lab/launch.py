"""Brings a lab up and takes it down, from the user's shell."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from runbooks.lab.client import LabClient
from runbooks.lab.namespaces import start_time
from runbooks.lab.plan import (
    DIRECTORY_VARIABLE,
    Lab,
    LabError,
    labs_directory,
    prepare_directory,
)
from runbooks.lab.reading import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_STOP_LIMIT_S = 10.0
_SERVE_LIMIT_S = 60.0
_NEEDED = {"ip": "iproute2"}
_NEEDED_FOR_KERNELS = {"linux.uml": "user-mode-linux"}
_NEEDED_FOR_KVSTORE = {"etcd": "etcd-server"}


def up(lab: Lab, say: Callable[[str], None]) -> None:
    """Start a lab and wait until it serves.

    Args:
        lab: What to start.
        say: Told of each step, a line each.

    Raises:
        LabError: It could not be started; nothing of it is left.
    """
    _require_programs(lab)
    if lab.directory.exists() and _init_pid(lab) is None:
        down(lab.name)  # what a crash left behind
    prepare_directory(lab)
    try:
        lab.save()
        _start(lab, say)
    except BaseException:
        log = _tail(lab.directory / "supervisor.log")
        down(lab.name)
        if log:
            print(log, file=sys.stderr)
        raise


def runs(name: str) -> bool:
    """Whether a lab of that name was started and its first process lives."""
    lab = Lab(name)
    return lab.directory.exists() and _init_pid(lab) is not None


def bring_back(name: str) -> list[str]:
    """Start again what has ended in a lab that runs.

    Args:
        name: The lab's name.

    Returns:
        What was started again; nothing if all of it ran.

    Raises:
        LabError: The lab does not come back.
    """
    lab = Lab.load(name)
    brought = []
    if not _serves(lab):
        pid = _init_pid(lab)
        if pid is None:
            raise LabError(f"lab {name!r} has ended; start it again")
        os.kill(pid, signal.SIGHUP)
        wait_until(
            lambda: _serves(lab),
            f"lab {name!r} does not serve; end it: ipsec-runbooks lab down "
            f"--name {name}",
            _SERVE_LIMIT_S,
        )
        brought.append("Kubernetes API")
    return brought + list(LabClient(name).ask("restore"))


def _serves(lab: Lab) -> bool:
    """Whether the lab's control socket answers."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(lab.control_socket))
        except OSError:
            return False
    return True


def _require_programs(lab: Lab) -> None:
    needed = _NEEDED | (_NEEDED_FOR_KVSTORE if lab.mode == "kvstore" else {})
    if lab.nodes_on == "uml":
        needed |= _NEEDED_FOR_KERNELS
    elif os.geteuid() != 0:
        raise LabError(
            "nodes on this machine's own kernel need root; leave --nodes-on host away, "
            "and the nodes are kernels of their own"
        )
    missing = {
        package
        for program, package in needed.items()
        if shutil.which(program, path=_PATH) is None
    }
    if missing:
        raise LabError(
            "the lab needs these packages: " + " ".join(sorted(missing)) + "; "
            "install them: sudo apt-get install " + " ".join(sorted(missing))
        )


#: Users other than root often lack the folders of system programs.
_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def _start(lab: Lab, say: Callable[[str], None]) -> None:
    listener = _reserved_port()
    progress, progress_end = os.pipe()
    with (lab.directory / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "runbooks.lab.supervisor"),
                *(lab.name, str(listener.fileno()), str(progress_end)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PATH": _PATH, DIRECTORY_VARIABLE: str(labs_directory())},
            pass_fds=(listener.fileno(), progress_end),
            start_new_session=True,
        )
    listener.close()
    os.close(progress_end)
    last = ""
    with os.fdopen(progress) as lines:
        for line in lines:
            last = line.rstrip("\n")
            if last == "ready":
                break
            if last.startswith("failed: "):
                last += "\n" + lines.read()
                break
            say(last)
    process.wait()
    if last != "ready":
        ended = "its process ended"
        why = last.removeprefix("failed: ") if last.startswith("failed: ") else ended
        raise LabError(f"lab {lab.name!r} did not start: {why}")


def _reserved_port() -> socket.socket:
    """A socket whose port stays its own while nobody listens on it.

    The kernel keeps only ports that were asked for by their number.
    """
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()  # somebody else was quicker
        else:
            return listener


def down(name: str) -> bool:
    """End a lab and remove what it left, also after a crash.

    Args:
        name: The lab's name.

    Returns:
        Whether there was anything to do.

    Raises:
        LabError: Its processes did not end.
    """
    lab = Lab(name)
    if not lab.directory.exists():
        return False
    pid = _init_pid(lab)
    if pid is not None:
        # Process 1 of the lab's process namespace: the kernel ends the rest.
        for number, limit_s in ((signal.SIGTERM, 2.0), (signal.SIGKILL, _STOP_LIMIT_S)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            if _wait_gone(lab, limit_s):
                break
        else:
            raise LabError(f"process {pid} of lab {name!r} does not end")
    while lab.directory.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(lab.directory)  # another "down" may be at it, too
    try:
        labs_directory().rmdir()
    except OSError:
        return True  # other labs are in there
    return True


def running() -> list[str]:
    """Names of this user's labs that run, or that a crash left behind."""
    directory = labs_directory()
    return sorted(p.name for p in directory.iterdir()) if directory.exists() else []


def _wait_gone(lab: Lab, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while _init_pid(lab) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _init_pid(lab: Lab) -> int | None:
    """The lab's first process, if it is still the one that was started."""
    try:
        pid, started = lab.pid_file.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def _tail(path: Path) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-20:])
    except FileNotFoundError:
        return ""
