"""Starts a node: a User-Mode Linux kernel on the host's own, read-only, files."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from importlib import resources
from pathlib import Path

from runbooks.lab.agent.config import AgentConfig
from runbooks.lab.plan import (
    API_PORT,
    ETCD_PORT,
    GATEWAY,
    KEY_FILE,
    Lab,
    LabError,
    NodePlan,
)
from runbooks.lab.process import KeptProcess

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
        init = self._write_init()
        self._console.unlink(missing_ok=True)
        try:
            self._process.start(
                [
                    KERNEL,
                    f"mem={MEMORY}",
                    *("rootfstype=hostfs", "rootflags=/", "ro", "quiet"),
                    # Ciphers that test themselves first take a second of each boot.
                    "cryptomgr.notests",
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

    def _write_init(self) -> Path:
        node, lab = self.node, self._lab
        agent = AgentConfig(
            node=node.name,
            cluster="default",
            node_ip=node.ip,
            cilium_ip=node.cilium_ip,
            pod_cidr=node.pod_cidr,
            native_device="eth0",
            pod_device="lxc0",
            mode=lab.mode,
            datapath=lab.datapath,
            legacy_sa=lab.legacy_sa,
            api_url=f"https://{GATEWAY}:{API_PORT}",
            api_token_file=str(lab.token_file(node)),
            api_ca_file=str(lab.authority_file),
            etcd_host=GATEWAY,
            etcd_port=ETCD_PORT,
            key_file=KEY_FILE,
            version=lab.cilium_version,
            lease_ttl_s=lab.timings.lease_ttl_s,
            # A deleted CiliumNode is acted on at once.
            deletion_delay_s=(
                lab.timings.deletion_delay_s if lab.mode == "kvstore" else 0
            ),
            rotation_duration_s=lab.timings.rotation_duration_s,
            reclaim_interval_s=lab.timings.reclaim_interval_s,
            sync_interval_s=lab.timings.sync_interval_s,
            rewrite_interval_s=lab.timings.rewrite_interval_s,
            node_ip6=node.ip6 if lab.ipv6 else "",
            cilium_ip6=node.cilium_ip6 if lab.ipv6 else "",
            pod_cidr6=node.pod_cidr6 if lab.ipv6 else "",
        )
        agent_config = self._directory / "agent.json"
        agent_config.write_text(json.dumps(asdict(agent), indent=1))
        node_config = self._directory / "node.json"
        node_config.write_text(
            json.dumps({"agent_config": str(agent_config), "mode": lab.mode})
        )
        guest = resources.files("runbooks.lab.guest")
        variables = {
            "LAB_NODE_CONFIG": node_config,
            "LAB_PYTHON": sys.executable,
            "LAB_BIN": guest / "bin",
            "LAB_NAME": node.name,
            "LAB_IP": node.ip,
            "LAB_MAC": node.mac,
            "LAB_POD_IP": node.pod_ip,
            "LAB_CILIUM_IP": node.cilium_ip,
            # Empty without IPv6, as the two that follow.
            "LAB_NODE_IP6": node.ip6 if lab.ipv6 else "",
            "LAB_POD_IP6": node.pod_ip6 if lab.ipv6 else "",
            "LAB_CILIUM_IP6": node.cilium_ip6 if lab.ipv6 else "",
            # The package is found where the host finds it, installed or not.
            "PYTHONPATH": os.pathsep.join(
                [str(Path(str(guest)).parents[2]), os.environ.get("PYTHONPATH", "")]
            ).strip(os.pathsep),
        }
        init = self._directory / "init"
        lines = ["#!/bin/sh"]
        lines += [f"export {k}={shlex.quote(str(v))}" for k, v in variables.items()]
        lines += [f"exec {shlex.quote(str(guest / 'init.sh'))}", ""]
        init.write_text("\n".join(lines))
        init.chmod(0o700)
        return init
