"""Real memory of a lab's nodes, as this machine's kernel accounts for it."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections import defaultdict
from pathlib import Path

#: kcmp(2): whether two processes share their memory, which threads of a User-Mode
#: Linux kernel do although each has a process ID of its own.
_KCMP = {"x86_64": 312, "aarch64": 272}[platform.machine()]
_KCMP_VM = 1


def nodes_mib(lab: str) -> dict[str, float]:
    """Memory of each node's kernel with all that runs in it, in MiB.

    The sum of its processes' proportional set sizes (``Pss``): a page that several
    of them share counts once.

    Args:
        lab: Name of the lab.

    Returns:
        By node name.
    """
    processes = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if match := re.search(rf"/{re.escape(lab)}/nodes/(\w+)/uml", line):
            processes[match[1]].append(int(entry.name))
    return {node: _pss_mib(pids) for node, pids in processes.items()}


def _pss_mib(pids: list[int]) -> float:
    own: list[int] = []
    for pid in sorted(pids):
        if not any(_share_memory(pid, other) for other in own):
            own.append(pid)
    total_kib = 0
    for pid in own:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        total_kib += int(re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[0])
    return total_kib / 1024


def _share_memory(one: int, other: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = libc.syscall(_KCMP, one, other, _KCMP_VM, 0, 0)
    if answer < 0 and (number := ctypes.get_errno()) != 3:  # ESRCH: one has ended
        raise OSError(number, os.strerror(number))
    return bool(answer == 0)
