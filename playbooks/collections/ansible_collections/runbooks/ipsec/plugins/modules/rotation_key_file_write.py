"""Give one node the next IPsec key."""

DOCUMENTATION = r"""
module: rotation_key_file_write
short_description: Give one node the next IPsec key
description:
  - Replaces the key file of the node that the task is delegated to in one rename,
    with mode 0600 and the owner that it had, on condition that nobody changed it.
  - The first turn of a rotation draws the key. The first turn of one that goes on takes
    it from a node that has it. In between it is in the memory of the process
    that runs the loop, and on the way it is in no argument, variable or file.
  - Only for a loop over RV(runbooks.ipsec.rotation_key_files_begin#module:turns).
  - Does not fail where a node can't be written, but tells so and leaves the other nodes
    their turns.
options:
  turn:
    description: The item of the loop.
    type: dict
    required: true
  per_tunnel_keys:
    description:
      - Set the C(+) that asks for a key per pair, also where the old key lacks it.
    type: bool
    default: false
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.held_lock
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Give every node the next key
  runbooks.ipsec.rotation_key_file_write:
    turn: "{{ item }}"
  delegate_to: "{{ item.host }}"
  loop: "{{ rotation.turns }}"
"""

RETURN = r"""
problem:
  description: Why the node did not get the key. Empty if it has it.
  returned: always
  type: str
  sample: ""
"""
