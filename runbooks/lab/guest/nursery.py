"""Starts a node's Python programs from a process that has imported them already.

Starting one costs seconds in a node's kernel, nearly all of it imports; a copy of
a process costs none of that, and shares its memory.
"""

from __future__ import annotations

import array
import ctypes
import gc
import json
import os
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REQUEST_BYTES = 65536
_PR_SET_NAME = 15


class Nursery:
    """A process that waits to become one of the node's programs.

    Made before anything else runs in this process: what is copied must have one
    thread and no loop. What it starts are children of the node's first process.

    Args:
        load: Imports the programs, in the new process, and gives them by name.
    """

    def __init__(
        self, load: Callable[[], Mapping[str, Callable[[list[str]], int]]]
    ) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.freeze()  # the copy shares what no collection touches
        if os.fork() == 0:
            self._socket.close()
            _serve(theirs, load())
        theirs.close()

    def start(self, name: str, argv: list[str], descriptors: tuple[int, ...]) -> int:
        """Start a program; waits until the nursery has imported it.

        Args:
            name: Which one.
            argv: Its arguments.
            descriptors: Its standard input, output and error.

        Returns:
            Its process ID; it is a child of this process if this is the first.
        """
        request = json.dumps({"name": name, "argv": argv}).encode()
        passed = array.array("i", descriptors)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, passed.tobytes())
        self._socket.sendmsg([request], [rights])
        return int(self._socket.recv(_REQUEST_BYTES))


def _serve(
    requests: socket.socket, programs: Mapping[str, Callable[[list[str]], int]]
) -> None:
    """Start programs until nobody asks any more."""
    # What is there now stays: no collection has to touch, and so copy, it.
    gc.collect()
    gc.freeze()
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 3)
        if not request:
            os._exit(0)
        wanted: dict[str, Any] = json.loads(request)
        middle = os.fork()
        if middle == 0:
            # The middle one ends at once, and its child goes to process 1.
            child = os.fork()
            if child:
                requests.send(str(child).encode())
                os._exit(0)
            requests.close()
            _become(wanted["name"], wanted["argv"], descriptors, programs)
        os.waitpid(middle, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _become(
    name: str,
    argv: list[str],
    descriptors: list[int],
    programs: Mapping[str, Callable[[list[str]], int]],
) -> None:
    status = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
        os.closerange(3, max(descriptors) + 1)
        status = programs[name](argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - this is the program's end, told like any
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)
