"""Run the check until it finds nothing, and count what was dropped."""

DOCUMENTATION = r"""
module: rotation_verify
short_description: Run the check until it finds nothing, and count what was dropped
description:
  - Ends when no finding of severity warning or critical is left, or at the limit.
    What only an audit tells is told, and no failure.
options:
  limit:
    description: Seconds to wait at most for the check to find nothing.
    type: float
    default: 30
  counters_before:
    description: C(/proc/net/xfrm_stat) of every node before the rotation.
    type: dict
    default: {}
  findings_before:
    description: What the check found before the rotation, as in its JSON.
    type: list
    elements: dict
    default: []
  refused_before:
    description:
      - What the nodes' states had refused before the rotation, in packets by node,
        SPI and kind.
    type: dict
    default: {}
  refused_since:
    description: The same, as each of the waits saw it last.
    type: list
    elements: dict
    default: []
  key_id:
    description:
      - The new key ID. What states of another one refuse was broken before.
    type: int
    default: 0
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.held_lock
  - runbooks.ipsec.two_samples
  - runbooks.ipsec.clusters
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Run the check again
  runbooks.ipsec.rotation_verify:
"""

RETURN = r"""
verdict:
  description: The check's verdict after the rotation.
  returned: always
  type: str
  sample: healthy
dropped:
  description: Packets that each node's XFRM counters dropped since the preflight.
  returned: always
  type: dict
  sample: {node2: {XfrmInStateProtoError: 30}}
explained:
  description: What explains the counters that rose, a sentence each.
  returned: always
  type: list
  elements: str
  sample: []
unexplained:
  description:
    - Counters that rose without an explanation, a sentence each. The role fails where
      there is one.
  returned: always
  type: list
  elements: str
  sample: []
"""
