"""Mark the rotation on the Secret as over."""

DOCUMENTATION = r"""
module: rotation_finish
short_description: Mark the rotation on the Secret as over
description:
  - From here on a new run starts a new rotation instead of going on with this one.
options: {}
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.clusters
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Mark the rotation as over
  runbooks.ipsec.rotation_finish:
"""

RETURN = r"""
finished_at:
  description: When the rotation was over, RFC 3339 in UTC.
  returned: changed
  type: str
  sample: "2026-01-01T00:06:00Z"
"""
