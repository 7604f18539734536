"""Mark a rotation of the key files as over."""

DOCUMENTATION = r"""
module: rotation_key_files_finish
short_description: Mark a rotation of the key files as over
description:
  - From here on a new run starts a new rotation instead of going on with this one.
  - Fails where a key file does not hold the new key any more.
options:
  key_files:
    description: What M(runbooks.ipsec.rotation_key_file_look) told of every host.
    type: list
    elements: dict
    required: true
extends_documentation_fragment:
  - runbooks.ipsec.cluster
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Mark the rotation as over
  runbooks.ipsec.rotation_key_files_finish:
    key_files: "{{ looks.results | map(attribute='key_file') }}"
"""

RETURN = r"""
finished_at:
  description: When the rotation was over, RFC 3339 in UTC.
  returned: changed
  type: str
  sample: "2026-01-01T00:06:00Z"
"""
