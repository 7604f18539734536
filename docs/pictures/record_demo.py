"""Record a run of the demo on a terminal, with its timing, as an asciicast.

Run: ``python docs/pictures/record_demo.py``. It takes two minutes. The site plays the
record (``docs/_extensions/cast.py``), and ``draw_demo.py`` draws from it. The form is
asciicast, version 2: a line of JSON about the terminal, then one for each output.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = Path(__file__).resolve().parent / "demo.cast"
COLUMNS, LINES = 100, 30
COMMAND = [sys.executable, "-m", "runbooks.demo"]


def printed(command: list[str]) -> Iterator[tuple[float, str]]:
    """Run a command on a terminal of its own.

    Args:
        command: With its arguments.

    Yields:
        Seconds since it began, and what it printed then.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    ours, its = pty.openpty()
    size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
    fcntl.ioctl(its, termios.TIOCSWINSZ, size)
    env = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    began = time.monotonic()
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=env) as run:
        os.close(its)
        rest = b""
        while True:
            try:
                rest += os.read(ours, 65536)
            except OSError:  # It has ended, and with it its terminal.
                break
            # A read may end within a character.
            whole = rest.decode("utf-8", errors="ignore")
            rest = rest[len(whole.encode()) :]
            yield time.monotonic() - began, whole
    os.close(ours)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, command)


def main() -> None:
    """Record, and say on this terminal how far it is."""
    head = {
        "version": 2,
        "width": COLUMNS,
        "height": LINES,
        "timestamp": int(time.time()),
        "title": "make demo",
    }
    lines = [json.dumps(head)]
    for at_s, text in printed(COMMAND):
        sys.stdout.write(text)
        sys.stdout.flush()
        lines.append(json.dumps([round(at_s, 3), "o", text], ensure_ascii=False))
    RECORD.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
