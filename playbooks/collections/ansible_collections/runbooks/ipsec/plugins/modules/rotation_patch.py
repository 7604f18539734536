"""Put the next IPsec key into the Secret."""

DOCUMENTATION = r"""
module: rotation_patch
short_description: Put the next IPsec key into the Secret
description:
  - Draws a key of the same algorithm and length under the next ID and patches the
    Secret, on condition that nobody changed it.
  - The key stays inside the call. Nothing of it is returned.
  - Changes nothing when the Secret already holds the key of an interrupted rotation.
options:
  expected_key_id:
    description: The key ID that the preflight saw in the Secret.
    type: int
    required: true
  over:
    description: ID of an interrupted rotation that the preflight found to be over.
    type: str
    default: ""
  per_tunnel_keys:
    description:
      - Set the C(+) that asks for a key per pair, also where the old key lacks it.
    type: bool
    default: false
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.clusters
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Put the next key into the Secret
  runbooks.ipsec.rotation_patch:
    expected_key_id: 3
"""

RETURN = r"""
rotation_id:
  description: Name of the rotation.
  returned: success
  type: str
  sample: 20260101T000000Z-a1b2c3
from_key_id:
  description: Key ID before.
  returned: success
  type: int
  sample: 3
to_key_id:
  description: Key ID after.
  returned: success
  type: int
  sample: 4
started_at:
  description: When the key was patched, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-01T00:00:00Z"
started_by:
  description: Who patched the key.
  returned: success
  type: str
  sample: root@host:4711
"""
