"""The shell that runs a page: one bash from its first block to its last."""

from __future__ import annotations

import os
import secrets
import selectors
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType


class ShellTimeoutError(Exception):
    """A command did not end in time; carries what it had printed."""


class Shell:
    """A bash whose folder, variables and last exit status live on between commands.

    Args:
        cwd: Folder it starts in.
        env: Its whole environment.
        limit_s: How long one command may take.
    """

    def __init__(self, cwd: Path, env: Mapping[str, str], limit_s: float) -> None:
        self.limit_s = limit_s
        self.last_status = 0
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Shell:
        """Give the shell to a ``with`` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the shell and whatever it left running."""
        self.close()

    def close(self) -> None:
        """End the shell and whatever it left running in its session."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def run(self, command: str, *, as_root: bool = False) -> tuple[str, int]:
        """Run one command as if typed.

        Args:
            command: What is typed after the prompt; may have several lines.
            as_root: Whether root types it. In another user's shell such a command
                runs through ``sudo`` and can't change that shell's variables.

        Returns:
            What it printed on both streams, and its exit status.

        Raises:
            ShellTimeoutError: It did not end within the limit; the shell is gone.
        """
        if as_root and os.geteuid() != 0:
            command = f"sudo -n --preserve-env bash -c {shlex.quote(command)}"
        token = secrets.token_hex(16)
        # A command's own end of line may be missing, so the token brings one. The
        # subshell hands the last status on: a page may ask for it with `echo $?`.
        script = (
            f"(exit {self.last_status}); eval {shlex.quote(command)} </dev/null\n"
            f"printf '\\n%s %s\\n' {token} $?\n"
        )
        assert self.process.stdin is not None
        self.process.stdin.write(script.encode())
        self.process.stdin.flush()
        output, status = self.read_until(token)
        self.last_status = status
        return output, status

    def read_until(self, token: str) -> tuple[str, int]:
        """Collect output until the line that starts with the token.

        Args:
            token: What the shell prints when the command has ended.

        Returns:
            The output before that line, and the exit status on it.

        Raises:
            ShellTimeoutError: The line did not come within the limit.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + self.limit_s
        end = b"\n" + token.encode() + b" "
        output = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not (end in output and output.endswith(b"\n")):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.close()
                    raise ShellTimeoutError(output.decode(errors="replace"))
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:  # The command ended the shell itself, as `exit` does.
                    return output.decode(errors="replace"), self.process.wait()
                output += chunk
        before, _, after = output.partition(end)
        return before.decode(errors="replace"), int(after.split(b"\n")[0])
