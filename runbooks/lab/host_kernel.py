"""Starts a node on this machine's own kernel: namespaces instead of a kernel.

Its network namespace has XFRM states, policies and counters of its own.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

from runbooks.lab.network import BRIDGE
from runbooks.lab.node_files import write_init
from runbooks.lab.plan import Lab, LabError, NodePlan
from runbooks.lab.process import KeptProcess
from runbooks.xfrm.model import Mark
from runbooks.xfrm.netlink import NewState, XfrmSocket

if TYPE_CHECKING:
    from pathlib import Path

_PROBE = ("192.0.2.1", "192.0.2.2")


class HostKernel:
    """One node's namespaces, with the methods of a kernel's process.

    Args:
        lab: The lab.
        node: The node.
    """

    def __init__(self, lab: Lab, node: NodePlan) -> None:
        self.node = node
        self._lab = lab
        self._directory = lab.node_directory(node)
        self._process = KeptProcess(self._directory / "kernel.pid")

    def start(self) -> None:
        """Make the namespaces; their first process takes it from there."""
        init = write_init(self._lab, self.node, "init-host.sh")
        self._log.unlink(missing_ok=True)
        make_wire(self.node)
        enter = (sys.executable, "-m", "runbooks.lab.guest.enter")
        self._process.start([*enter, self.node.inner_tap, str(init)], self._log)

    def adopt(self) -> None:
        """Take over namespaces that another supervisor made."""
        self._process.adopt()

    async def wait(self) -> None:
        """Wait for the end of their first process."""
        await self._process.wait()

    async def stop(self) -> None:
        """End all that runs in them; its states and its wire go with them."""
        await self._process.kill()

    @property
    def running(self) -> bool:
        """Whether their first process runs."""
        return self._process.running

    def console(self) -> str:
        """The last lines of what their first process said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])

    @property
    def _log(self) -> Path:
        return self._directory / "console.log"


def make_wire(node: NodePlan) -> None:
    """Make the wire of a node, unless it is there: one end in the bridge."""
    commands = (
        f"link add {node.tap} type veth peer name {node.inner_tap}",
        f"link set {node.tap} master {BRIDGE} up",
    )
    shown = subprocess.run(
        ["ip", "link", "show", node.tap], capture_output=True, check=False
    )
    if shown.returncode:
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True)


def require_esp() -> None:
    """Make sure that this machine's kernel can do what a node's has to.

    Tried in the network namespace of the lab, where nothing of it stays.

    Raises:
        LabError: It can't.
    """
    state = NewState(
        source=_PROBE[0],
        destination=_PROBE[1],
        spi=1,
        algorithm="rfc4106(gcm(aes))",
        key=secrets.token_bytes(20),
        icv_bits=128,
        mark=Mark(0x10D00, 0xFFFF0F00),
    )
    try:
        with XfrmSocket() as xfrm:
            xfrm.add_state(state)
            xfrm.delete_state(state.destination, state.spi, state.mark)
    except OSError as error:
        raise LabError(
            f"this machine's kernel has no ESP ({error.strerror}): modprobe -a "
            "xfrm_user esp4, or leave --nodes-on host away, and the nodes are kernels "
            "of their own"
        ) from None
