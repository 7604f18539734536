"""The lab's own process: keeps kernels, etcd and the API for as long as it runs.

``python -m runbooks.lab.supervisor NAME LISTENER PROGRESS``: started by ``lab
up``, with a listening socket of the caller's network (the API is served on it)
and a pipe for progress, one line each; the last is ``ready`` or ``failed: why``.
"""

from __future__ import annotations

import asyncio
import compileall
import contextlib
import os
import signal
import socket
import sys
import time
from importlib import resources
from typing import Any

import runbooks
from runbooks.lab.channel import ChannelError
from runbooks.lab.cluster import Cluster
from runbooks.lab.control import Control
from runbooks.lab.etcd import Etcd
from runbooks.lab.host_kernel import require_esp
from runbooks.lab.journal import Journal
from runbooks.lab.namespaces import (
    enter_new_namespaces,
    first_process,
    start_time,
)
from runbooks.lab.network import make_bridge
from runbooks.lab.node import plug_in
from runbooks.lab.operations import Operations
from runbooks.lab.plan import Lab, LabError

BACKLOG = 64


class Progress:
    """Tells ``lab up`` how far it is.

    Args:
        descriptor: The pipe.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def say(self, line: str) -> None:
        """Write one line; a caller that has gone does not matter."""
        if self._descriptor is None:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(self._descriptor, line.encode() + b"\n")

    def close(self) -> None:
        """Tell that no more is coming."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


class Supervisor:
    """One running lab.

    Args:
        lab: The lab.
        listener: Where the API is served.
        progress: Whom to tell.
        journal: Where it keeps what another supervisor needs to go on.
    """

    def __init__(
        self, lab: Lab, listener: socket.socket, progress: Progress, journal: Journal
    ) -> None:
        self._lab = lab
        self._listener = listener
        self._progress = progress
        self._journal = journal
        self._cluster = Cluster(lab)
        etcd = Etcd(lab) if lab.mode == "kvstore" else None
        self._operations = Operations(lab, self._cluster, etcd, progress.say)

    async def run(self) -> None:
        """Bring the lab up, or take it over, and serve it until a signal ends it."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        saved = self._journal.read()
        try:
            await (self._bring_up() if saved is None else self._take_over(saved))
        except (LabError, ChannelError, OSError) as error:
            self._progress.say(f"failed: {error}")
            return
        self._progress.say("ready")
        self._progress.close()
        running = asyncio.ensure_future(self._cluster.run())
        await stop.wait()
        running.cancel()

    async def _bring_up(self) -> None:
        say, operations = self._progress.say, self._operations
        began = time.monotonic()
        # The nodes can't write byte code: their files are the host's, read-only.
        compileall.compile_dir(str(resources.files(runbooks)), quiet=2)
        self._cluster.seed()
        port = await self._cluster.serve(self._listener)
        self._cluster.write_kubeconfig(port)
        nodes = [operations.add(plan) for plan in self._lab.nodes]
        for node in nodes:
            node.kernel.start()
        say(f"{len(nodes)} kernels started")
        if operations.etcd is not None:
            await operations.etcd.start()
            say("etcd serves")
        say(f"Kubernetes API serves on 127.0.0.1:{port}")
        await asyncio.gather(*(node.join() for node in nodes))
        peers = len(nodes) - 1
        await asyncio.gather(*(n.kubelet.wait_for_peers(peers) for n in nodes))
        await self._open()
        say(f"up in {time.monotonic() - began:.1f} s")

    async def _take_over(self, saved: dict[str, Any]) -> None:
        self._cluster.resume(saved)
        await self._cluster.serve(self._listener)
        if self._operations.etcd is not None:
            self._operations.etcd.adopt()
        for plan in self._lab.nodes:
            await self._operations.adopt(plan, saved["kubelets"][plan.name])
        await self._open()

    async def _open(self) -> None:
        """Let commands in, and keep every change from now on."""

        def keep(*_: object) -> None:
            self._journal.write(self._cluster.saved())

        self._cluster.store.subscribe(keep)
        self._operations.changed = keep
        keep()
        await Control(self._operations).serve()


def main() -> None:
    """Leave the caller's namespaces, then run the lab."""
    lab = Lab.load(sys.argv[1])
    listener = socket.socket(fileno=int(sys.argv[2]))
    progress = Progress(int(sys.argv[3]))
    try:
        enter_new_namespaces()
    except OSError as error:
        progress.say(
            f"failed: this user may not make namespaces ({error.strerror}); run as "
            "root, or allow unprivileged user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
            "kernel.apparmor_restrict_unprivileged_userns=0)"
        )
        return
    if lab.nodes_on == "host":
        try:
            require_esp()
        except LabError as error:
            progress.say(f"failed: {error}")
            return
    pid = os.fork()
    if pid:
        # Process 1 of the namespace, under the number it has outside.
        lab.pid_file.write_text(f"{pid} {start_time(pid)}\n")
        os._exit(0)
    journal = Journal()

    def run() -> None:
        _run(lab.name, listener, progress, journal)

    def may_come_back() -> bool:
        progress.close()
        # Refuse connections, as a server that is gone does; the port stays ours.
        listener.shutdown(socket.SHUT_RDWR)
        lab.control_socket.unlink(missing_ok=True)
        return journal.read() is not None

    first_process(run, may_come_back)


def _run(
    name: str, listener: socket.socket, progress: Progress, journal: Journal
) -> None:
    lab = Lab.load(name)
    if journal.read() is None:
        # pyroute2's sockets run a loop of their own: not inside another one.
        make_bridge()
        for node in lab.nodes:
            plug_in(lab, node)
    listener.listen(BACKLOG)
    asyncio.run(Supervisor(lab, listener, progress, journal).run())


if __name__ == "__main__":
    main()
