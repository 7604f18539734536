"""Delete the stale inbound XFRM states of one node, and wait until it is healed."""

DOCUMENTATION = r"""
module: repair_node
short_description: Delete the stale inbound XFRM states of one node
description:
  - Proves once more which inbound states of the node are stale, deletes these through
    its agent's pod, each by its exact mark and mask, and waits until the agent has
    made them anew and the check finds the pairs healthy.
options:
  node:
    description: The node that kept the states.
    type: str
    required: true
  limit:
    description: Seconds that the agent may take to make the states anew.
    type: float
    default: 300
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.held_lock
  - runbooks.ipsec.two_samples
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Repair a node
  runbooks.ipsec.repair_node:
    node: node2
"""

RETURN = r"""
deleted:
  description: The states that were deleted.
  returned: always
  type: list
  elements: dict
  sample: []
elapsed_s:
  description: Seconds until the agent had made them anew.
  returned: always
  type: float
  sample: 93.0
"""
