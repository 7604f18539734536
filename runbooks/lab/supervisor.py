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

import runbooks
from runbooks.lab.channel import ChannelError
from runbooks.lab.cluster import Cluster
from runbooks.lab.control import Control
from runbooks.lab.etcd import Etcd
from runbooks.lab.namespaces import (
    enter_new_namespaces,
    first_process,
    start_time,
)
from runbooks.lab.network import make_bridge, make_tap
from runbooks.lab.operations import Operations
from runbooks.lab.plan import Lab, LabError


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
    """

    def __init__(self, lab: Lab, listener: socket.socket, progress: Progress) -> None:
        self._lab = lab
        self._listener = listener
        self._progress = progress

    async def run(self) -> None:
        """Bring the lab up and serve it until a signal ends it."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            keep = await self._bring_up()
        except (LabError, ChannelError, OSError) as error:
            self._progress.say(f"failed: {error}")
            return
        self._progress.say("ready")
        self._progress.close()
        await stop.wait()
        for task in keep:
            task.cancel()

    async def _bring_up(self) -> list[asyncio.Task[None]]:
        lab, say = self._lab, self._progress.say
        began = time.monotonic()
        # The nodes can't write byte code: their files are the host's, read-only.
        compileall.compile_dir(str(resources.files(runbooks)), quiet=2)
        cluster = Cluster(lab)
        port = await cluster.serve(self._listener)
        etcd = Etcd(lab) if lab.mode == "kvstore" else None
        operations = Operations(lab, cluster, etcd, say)
        nodes = [operations.add(plan) for plan in lab.nodes]
        for node in nodes:
            node.kernel.start()
        say(f"{len(nodes)} kernels started")
        if etcd is not None:
            await etcd.start()
            say("etcd serves")
        say(f"Kubernetes API serves on 127.0.0.1:{port}")
        await asyncio.gather(*(node.join() for node in nodes))
        running = [asyncio.ensure_future(cluster.run())]
        peers = len(nodes) - 1
        await asyncio.gather(*(n.kubelet.wait_for_peers(peers) for n in nodes))
        await Control(operations).serve()
        say(f"up in {time.monotonic() - began:.1f} s")
        return running


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
    pid = os.fork()
    if pid:
        # Process 1 of the namespace, under the number it has outside.
        lab.pid_file.write_text(f"{pid} {start_time(pid)}\n")
        os._exit(0)
    first_process(lambda: _run(lab, listener, progress))


def _run(lab: Lab, listener: socket.socket, progress: Progress) -> None:
    # pyroute2's plain sockets run a loop of their own: not inside another one.
    make_bridge()
    for node in lab.nodes:
        make_tap(node)
    asyncio.run(Supervisor(lab, listener, progress).run())


if __name__ == "__main__":
    main()
