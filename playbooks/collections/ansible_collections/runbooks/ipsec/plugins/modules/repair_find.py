"""Find the stale inbound XFRM states that can be deleted safely."""

DOCUMENTATION = r"""
module: repair_find
short_description: Find the stale inbound XFRM states that can be deleted safely
description:
  - Runs the check and keeps the inbound states that two samples prove stale.
  - Leaves out what is not Cilium's, and what the kernel could mistake for another
    state. Changes nothing.
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.two_samples
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Find stale states
  runbooks.ipsec.repair_find:
"""

RETURN = r"""
nodes:
  description: Nodes that hold stale states which can be deleted.
  returned: success
  type: list
  elements: str
  sample: [node2]
states:
  description: The states, with their mark and the numbers of both ends.
  returned: success
  type: list
  elements: dict
  sample: []
left:
  description: Why a stale pair is left alone, a sentence each.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: What would be deleted, as lines to read.
  returned: success
  type: list
  elements: str
  sample: ["There is no stale state to delete."]
caveat:
  description: What to know before deleting states by hand.
  returned: success
  type: str
  sample: ""
"""
