"""One node of a running lab: its kernel, its kubelet, and the ways to both."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runbooks.lab.channel import ChannelError
from runbooks.lab.host_kernel import HostKernel, make_wire
from runbooks.lab.kubelet import Kubelet
from runbooks.lab.network import WireTap, make_tap
from runbooks.lab.node_client import NodeClient
from runbooks.lab.plan import Lab, LabError, NodePlan
from runbooks.lab.uml import NodeKernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.cluster import Cluster

_BOOT_LIMIT_S = 90
_CHECK_S = 5


def plug_in(lab: Lab, plan: NodePlan) -> None:
    """Make the lab's side of a node's wire."""
    if lab.nodes_on == "host":
        make_wire(plan)
    else:
        make_tap(plan)


class LabNode:
    """A node, from its first boot to its removal.

    Args:
        lab: The lab.
        plan: The node's names and addresses.
        cluster: The cluster's objects.
        say: Told of each step.
    """

    def __init__(
        self, lab: Lab, plan: NodePlan, cluster: Cluster, say: Callable[[str], None]
    ) -> None:
        self.plan = plan
        host = lab.nodes_on == "host"
        self.kernel = HostKernel(lab, plan) if host else NodeKernel(lab, plan)
        self.client = NodeClient(plan.name, plan.ip)
        self.kubelet = Kubelet(lab, plan, self.client, cluster)
        self._wire = WireTap(plan)
        self._say = say
        self._follower: asyncio.Task[None] | None = None
        self._mourner: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Wait for the started kernel, start the agent, and follow both.

        Raises:
            LabError: The kernel ended, or the agent did not become ready.
            ChannelError: The kernel did not start in time.
        """
        ended = asyncio.ensure_future(self.kernel.wait())
        up = asyncio.ensure_future(self.client.wait_until_up(_BOOT_LIMIT_S))
        await asyncio.wait({ended, up}, return_when="FIRST_COMPLETED")
        if ended.done():
            up.cancel()
            raise LabError(
                f"the kernel of {self.plan.name} ended while it started:\n"
                + self.kernel.console()
            )
        ended.cancel()
        await up
        self._say(f"{self.plan.name} runs")
        await self.kubelet.join()
        self._say(f"{self.plan.name}'s agent is ready")
        self.follow()

    async def adopt(self, saved: dict[str, Any]) -> None:
        """Take over a node that another supervisor started."""
        self.kernel.adopt()
        self.kubelet.resume(saved)
        if not self.kernel.running:
            return
        if self.kubelet.secret_delay_s == 0:
            with contextlib.suppress(ChannelError):
                await self.kubelet.sync_secret()
        self.follow()

    def follow(self) -> None:
        """Follow the agent and the kernel for as long as it runs."""
        self._follower = asyncio.ensure_future(self.kubelet.run())
        self._mourner = asyncio.ensure_future(self._mourn())

    async def stop(self) -> None:
        """Pull the plug; its taps and its place in the cluster stay."""
        for task in (self._follower, self._mourner):
            if task is not None:
                task.cancel()
        await self.kernel.stop()
        self.kubelet.lose()

    def close(self) -> None:
        """Count the node's packets no more."""
        self._wire.close()

    async def restart(self) -> None:
        """Reset the node: a real reboot, with another boot ID.

        Raises:
            LabError: It did not come back.
            ChannelError: It did not start in time.
        """
        await self.stop()
        self.kernel.start()
        self._wire.reopen()
        await self.join()

    async def restore(self) -> bool:
        """Bring back what has ended: the kernel, or the agent alone.

        Returns:
            Whether anything had to be done.
        """
        if not self.kernel.running:
            self._say(f"{self.plan.name} is started again")
            await self.restart()
            return True
        if not self.kubelet.agent["running"] or not self.kubelet.agent["ready"]:
            await self.kubelet.start_agent()
            self._say(f"{self.plan.name}'s agent is ready")
            return True
        return False

    async def status(self) -> dict[str, Any]:
        """Address, kernel, agent, and packets on the wire."""
        answers = False
        if self.kernel.running:
            with contextlib.suppress(ChannelError, TimeoutError):
                async with asyncio.timeout(_CHECK_S):
                    await self.client.ask("facts")
                    answers = True
        return {
            "ip": self.plan.ip,
            "kernel": self.kernel.running,
            "answers": answers,
            "agent": self.kubelet.agent,
            "wire": asdict(self._wire.count()),
        }

    async def _mourn(self) -> None:
        await self.kernel.wait()
        if self._follower is not None:
            self._follower.cancel()
        self.kubelet.lose()
