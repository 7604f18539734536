"""Starts a node: a User-Mode Linux kernel on the host's own, read-only, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.node_files import write_init
from runbooks.lab.plan import Lab, LabError, NodePlan
from runbooks.lab.process import KeptProcess

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = "linux.uml"
MEMORY = "160M"


class NodeKernel:
    """One node's kernel process.

    Args:
        lab: The lab.
        node: The node.
    """

    def __init__(self, lab: Lab, node: NodePlan) -> None:
        self.node = node
        self._directory = lab.node_directory(node)
        self._lab = lab
        self._process = KeptProcess(self._directory / "kernel.pid")

    def start(self) -> None:
        """Start the kernel; its first process takes it from there.

        Raises:
            LabError: There is no User-Mode Linux on this machine.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        init = write_init(self._lab, self.node, "init.sh")
        self._console.unlink(missing_ok=True)
        try:
            self._process.start(
                [
                    KERNEL,
                    f"mem={MEMORY}",
                    *("rootfstype=hostfs", "rootflags=/", "ro", "quiet"),
                    # Ciphers that test themselves first take a second of each boot.
                    "cryptomgr.notests",
                    # So does measuring which way to compute RAID is the fastest.
                    "initcall_blacklist=raid6_select_algo,init_zswap",
                    f"init={init}",
                    f"umid={self.node.name}",
                    f"uml_dir={self._directory}/uml",
                    *("con=null", "con0=null,fd:1", "con1=null", "ssl=null"),
                    f"vec0:transport=tap,ifname={self.node.tap},mac={self.node.mac}",
                ],
                self._console,
            )
        except FileNotFoundError:
            raise LabError(
                f"{KERNEL} is not there; install the package user-mode-linux"
            ) from None

    def adopt(self) -> None:
        """Take over a kernel that another supervisor started."""
        self._process.adopt()

    async def wait(self) -> None:
        """Wait for the kernel's end."""
        await self._process.wait()

    async def stop(self) -> None:
        """Pull the plug."""
        await self._process.kill()

    @property
    def running(self) -> bool:
        """Whether the kernel runs."""
        return self._process.running

    @property
    def _console(self) -> Path:
        return self._directory / "console.log"

    def console(self) -> str:
        """The last lines of the kernel's console, without a panic's registers."""
        text = self._console.read_text(errors="replace")
        return "\n".join(text.split("Call Trace")[0].splitlines()[-15:])
