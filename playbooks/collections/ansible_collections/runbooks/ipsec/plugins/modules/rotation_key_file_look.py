"""Look at the IPsec key file of one node."""

DOCUMENTATION = r"""
module: rotation_key_file_look
short_description: Look at the IPsec key file of one node
description:
  - Runs a script on the node that the task is delegated to. Of the key, only its ID,
    algorithm, length and hash leave the node.
  - Does not fail where the node can't be reached or its file is of no use, but tells
    so, for M(runbooks.ipsec.rotation_preflight) to judge all nodes at once.
options:
  host:
    description: Name of the host that the task is delegated to.
    type: str
    required: true
  path:
    description: Absolute path of the key file on that host.
    type: str
    default: /etc/ipsec/keys
  clean:
    description:
      - Remove first what an interrupted run left beside the file. Only for a run
        that holds the lock.
    type: bool
    default: false
extends_documentation_fragment: []
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Look at the key file of every node
  runbooks.ipsec.rotation_key_file_look:
    host: "{{ item }}"
  delegate_to: "{{ item }}"
  loop: "{{ groups.cilium_nodes }}"
"""

RETURN = r"""
key_file:
  description: What may be known of the file.
  returned: always
  type: dict
  contains:
    problem:
      description: Why it can't be read or replaced. Empty if it can.
      type: str
    boot_id:
      description: Boot ID of the node that answered.
      type: str
    lines:
      description: The file's lines, with a zero for every digit of a key.
      type: list
      elements: str
    key_sha256:
      description: Hash that is the same for the same key.
      type: str
  sample:
    host: node1
    path: /etc/ipsec/keys
    problem: ""
    lines: [3+ rfc4106(gcm(aes)) 0000000000000000000000000000000000000000 128]
"""
