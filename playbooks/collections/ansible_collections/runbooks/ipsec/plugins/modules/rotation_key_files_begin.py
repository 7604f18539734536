"""Record a rotation of the key files."""

DOCUMENTATION = r"""
module: rotation_key_files_begin
short_description: Record a rotation of the key files
description:
  - Writes onto the rotation's Lease which key IDs the rotation leaves and goes to, or
    finds an interrupted one that goes on.
  - Draws no key. M(runbooks.ipsec.rotation_key_file_write) does.
options:
  key_files:
    description: What M(runbooks.ipsec.rotation_key_file_look) told of every host.
    type: list
    elements: dict
    required: true
  expected_key_id:
    description: The key ID that the preflight saw in the key files.
    type: int
    required: true
  over:
    description: ID of an interrupted rotation that the preflight found to be over.
    type: str
    default: ""
extends_documentation_fragment:
  - runbooks.ipsec.cluster
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Record the rotation
  runbooks.ipsec.rotation_key_files_begin:
    key_files: "{{ looks.results | map(attribute='key_file') }}"
    expected_key_id: 3
  register: rotation
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
turns:
  description:
    - The items of the loop that writes the key files. Empty if every node has the
      new key.
  returned: success
  type: list
  elements: dict
  sample: []
"""
