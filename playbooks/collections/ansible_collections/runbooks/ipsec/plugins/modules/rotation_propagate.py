"""Wait until every node has every pair under the new SPI."""

DOCUMENTATION = r"""
module: rotation_propagate
short_description: Wait until every node has every pair under the new SPI
description:
  - Reads the kernels' XFRM states through the agents' pods until both directions of
    every pair are there under the new SPI.
  - Names the nodes that lag while they lag.
options:
  limit:
    description:
      - Seconds to wait at most. With 0, the rotation duration, and at least 180.
    type: float
    default: 0
  rotation_duration:
    description: Seconds for which agents keep the states of a replaced key.
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
- name: Wait until every node has every pair under the new SPI
  runbooks.ipsec.rotation_propagate:
    key_id: 4
    limit: 180
"""

RETURN = r"""
nodes_done_at:
  description: When each node was done, RFC 3339 in UTC.
  returned: always
  type: dict
  sample: {node1: "2026-01-01T00:00:00Z"}
nodes_done_after_s:
  description: Seconds that each node took, from the beginning of the step.
  returned: always
  type: dict
  sample: {node1: 3.6}
elapsed_s:
  description: Seconds that the step took.
  returned: always
  type: float
  sample: 3.9
pending:
  description: What was still missing at the limit.
  returned: always
  type: list
  elements: str
  sample: []
"""
