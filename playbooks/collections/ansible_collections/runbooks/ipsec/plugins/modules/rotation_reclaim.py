"""Wait until the old SPI is gone from every node."""

DOCUMENTATION = r"""
module: rotation_reclaim
short_description: Wait until the old SPI is gone from every node
description:
  - Reads the kernels' XFRM states through the agents' pods until only the new SPI is
    left.
options:
  limit:
    description:
      - Seconds to wait at most. With 0, the rotation duration, the agents' one-minute
        timer, and a minute of margin.
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
- name: Wait until the old SPI is gone from every node
  runbooks.ipsec.rotation_reclaim:
    key_id: 4
    limit: 420
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
