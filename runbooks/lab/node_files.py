"""The files that a node finds when it starts."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from importlib import resources
from pathlib import Path

from runbooks.lab.agent.config import AgentConfig
from runbooks.lab.plan import API_PORT, ETCD_PORT, GATEWAY, KEY_FILE, Lab, NodePlan


def write_init(lab: Lab, node: NodePlan, script: str) -> Path:
    """Write what a node's first process runs, and what it is told.

    Args:
        lab: The lab.
        node: The node.
        script: The part of it that depends on what the node runs on.

    Returns:
        The program to start.
    """
    directory = lab.node_directory(node)
    directory.mkdir(parents=True, exist_ok=True)
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
        deletion_delay_s=(lab.timings.deletion_delay_s if lab.mode == "kvstore" else 0),
        rotation_duration_s=lab.timings.rotation_duration_s,
        reclaim_interval_s=lab.timings.reclaim_interval_s,
        sync_interval_s=lab.timings.sync_interval_s,
        rewrite_interval_s=lab.timings.rewrite_interval_s,
        node_ip6=node.ip6 if lab.ipv6 else "",
        cilium_ip6=node.cilium_ip6 if lab.ipv6 else "",
        pod_cidr6=node.pod_cidr6 if lab.ipv6 else "",
    )
    agent_config = directory / "agent.json"
    agent_config.write_text(json.dumps(asdict(agent), indent=1))
    node_config = directory / "node.json"
    node_config.write_text(
        json.dumps({"agent_config": str(agent_config), "mode": lab.mode})
    )
    guest = resources.files("runbooks.lab.guest")
    variables = {
        "LAB_NODE_CONFIG": node_config,
        "LAB_PYTHON": sys.executable,
        "LAB_BIN": guest / "bin",
        "LAB_GUEST": guest,
        "LAB_DIRECTORY": directory,
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
    init = directory / "init"
    lines = ["#!/bin/sh"]
    lines += [f"export {k}={shlex.quote(str(v))}" for k, v in variables.items()]
    lines += [f"exec {shlex.quote(str(guest / script))}", ""]
    init.write_text("\n".join(lines))
    init.chmod(0o700)
    return init
