"""Refuse unless the cluster can take a key rotation."""

DOCUMENTATION = r"""
module: rotation_preflight
short_description: Refuse unless the cluster can take a key rotation
description:
  - Reads the Secret, the agents, their DaemonSet, the configuration and every kernel;
    changes nothing.
  - Fails with every reason there is, naming the node or object.
  - Finds a rotation that was interrupted, and says so.
options:
  restart_agents:
    description:
      - Whether agents that do not watch the key file may be restarted. Without it,
        they are a reason to refuse.
    type: bool
    default: false
  accept_known_bugs:
    description: Names of known bugs that do not stop this rotation.
    type: list
    elements: str
    choices: [cilium-44335, cilium-42721]
    default: []
  key_files:
    description:
      - What M(runbooks.ipsec.rotation_key_file_look) told of every host, where
        O(key_distribution=files).
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.two_samples
  - runbooks.ipsec.clusters
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Refuse unless the cluster can take a rotation
  runbooks.ipsec.rotation_preflight:
"""

RETURN = r"""
key_id:
  description: Key ID that the rotation leaves.
  returned: success
  type: int
  sample: 3
next_key_id:
  description: Key ID that the rotation goes to.
  returned: success
  type: int
  sample: 4
algorithm:
  description: Algorithm of the key.
  returned: success
  type: str
  sample: rfc4106(gcm(aes))
resumes:
  description: The record of an interrupted rotation that this run goes on with.
  returned: success
  type: dict
  sample: {}
over:
  description:
    - ID of an interrupted rotation that is over but for its end being written down.
      Empty if there is none.
  returned: success
  type: str
  sample: ""
nodes:
  description: The nodes.
  returned: success
  type: list
  elements: str
  sample: [node1, node2]
version:
  description: The agents' version.
  returned: success
  type: str
  sample: "1.18.0"
rotation_duration_s:
  description: Seconds for which agents keep the states of a replaced key.
  returned: success
  type: float
  sample: 300
restart_agents:
  description: Whether the agents need a restart to take up the key.
  returned: success
  type: bool
  sample: false
verdict:
  description: The check's verdict before the rotation.
  returned: success
  type: str
  sample: stale
"""
