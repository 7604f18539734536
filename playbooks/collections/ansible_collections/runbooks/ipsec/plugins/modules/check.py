"""Find stale XFRM states and everything else the check knows."""

DOCUMENTATION = r"""
module: check
short_description: Find stale XFRM states and everything else the check knows
description:
  - Reads every node through its agent's pod, two samples, and diagnoses what it reads.
    In a large cluster it asks for sums first, and looks closely where these show
    something.
options:
  audit:
    description: Compare every pair of nodes, however many there are.
    type: bool
    default: false
  etcd_endpoint:
    description:
      - URL of a member of the key-value store. Its leases and revisions tell causes
        apart; without it, an agent is asked for what it can see.
    type: str
  etcd_ca:
    description: File with the certificate of the authority that signed etcd's own.
    type: path
  etcd_cert:
    description: File with the client's certificate.
    type: path
  etcd_key:
    description: File with the key of that certificate.
    type: path
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.two_samples
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Check the cluster
  runbooks.ipsec.check:
    namespace: kube-system
"""

RETURN = r"""
verdict:
  description: The worst thing known.
  returned: always
  type: str
  sample: healthy
findings:
  description: Every finding, as in the JSON of ipsec-runbooks check.
  returned: always
  type: list
  elements: dict
  sample: []
incomplete:
  description: What could not be read, a sentence each.
  returned: always
  type: list
  elements: str
  sample: []
summary:
  description: The findings as lines to read.
  returned: always
  type: list
  elements: str
  sample: ["healthy: 3 nodes, nothing found."]
text:
  description: The same as ipsec-runbooks check prints it.
  returned: always
  type: str
  sample: "Verdict: healthy"
exit_code:
  description:
    - As of ipsec-runbooks check. 0 is healthy, 1 means at least one finding of
      severity warning or critical, 3 that not everything could be read.
  returned: always
  type: int
  sample: 0
"""
