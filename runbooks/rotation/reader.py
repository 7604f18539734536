"""The nodes' kernels, read through the agents' pods."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kubernetes import client
from kubernetes.stream import stream

from runbooks.diagnose import diagnose
from runbooks.rotation.cluster import AGENT_CONTAINER
from runbooks.rotation.session import Assessment
from runbooks.snapshot import AgentFacts, NodeSnapshot, Samples, Snapshot
from runbooks.xfrm.text import parse_state_text

if TYPE_CHECKING:
    from runbooks.rotation.cluster import AgentPod, Cluster

# The key stays on the node.
STATES = f"ip -s xfrm state | sed -E 's/ 0x[0-9a-f]{{17,}}/ [hash:{'0' * 64}]/'"


class ClusterReader:
    """Reads a cluster's kernels.

    Args:
        cluster: The Kubernetes API.
        sample_interval_s: Time between the two samples of a check, in seconds.
    """

    def __init__(self, cluster: Cluster, sample_interval_s: float = 2.0) -> None:
        self._cluster = cluster
        self._sample_interval_s = sample_interval_s

    def states(self) -> Snapshot:
        """Read the XFRM states of all nodes, and nothing that takes longer."""
        agents = self._cluster.agents()
        with ThreadPoolExecutor(max_workers=16) as pool:
            nodes = pool.map(self._node, agents)
        return Snapshot({node.name: node for node in nodes})

    def assess(self) -> Assessment:
        """Run the check: two samples, and the diagnosis of both."""
        first = self.states()
        time.sleep(self._sample_interval_s)
        second = self.states()
        return Assessment(diagnose(Samples(first, second)), second)

    def _node(self, agent: AgentPod) -> NodeSnapshot:
        try:
            text = stream(
                client.CoreV1Api(
                    client.ApiClient(self._cluster.api.configuration)
                ).connect_get_namespaced_pod_exec,
                agent.name,
                self._cluster.target.namespace,
                container=AGENT_CONTAINER,
                command=["sh", "-c", STATES],
                stdout=True,
                stderr=False,
                stdin=False,
                tty=False,
            )
        except Exception as error:  # noqa: BLE001
            return NodeSnapshot(agent.node, unread=(str(error),))
        facts = AgentFacts(pod=agent.name, ready=agent.ready, version=agent.image)
        return NodeSnapshot(agent.node, tuple(parse_state_text(text)), agent=facts)
