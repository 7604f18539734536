"""Restart the agents that have not loaded the new key, node by node."""

DOCUMENTATION = r"""
module: rotation_restart
short_description: Restart the agents that have not loaded the new key, node by node
description:
  - For clusters whose agents do not watch the key file.
  - Deletes the agent's pod of one node, waits until another is ready and its kernel
    has states under the new SPI, and goes on with the next node.
  - Leaves agents alone that have the new key, so it goes on after an interruption.
options:
  limit:
    description: Seconds that each agent may take at most.
    type: float
    default: 300
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.held_lock
  - runbooks.ipsec.new_key
  - runbooks.ipsec.clusters
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Restart the agents node by node
  runbooks.ipsec.rotation_restart:
    key_id: 4
"""

RETURN = r"""
restarted:
  description: Nodes whose agents were restarted.
  returned: always
  type: list
  elements: str
  sample: [node1, node2]
pending:
  description: What was still missing at the limit.
  returned: always
  type: list
  elements: str
  sample: []
"""
