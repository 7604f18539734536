"""Write the report of a rotation as JSON and HTML."""

DOCUMENTATION = r"""
module: rotation_report
short_description: Write the report of a rotation as JSON and HTML
description:
  - Takes what the steps returned. Needs no cluster.
options:
  directory:
    description: Where the report goes. It is made if it isn't there.
    type: path
    default: .
  steps:
    description: What each step returned, by its name.
    type: dict
    required: true
extends_documentation_fragment: []
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Write the report
  runbooks.ipsec.rotation_report:
    steps: {}
"""

RETURN = r"""
paths:
  description: The files.
  returned: success
  type: list
  elements: str
  sample: [rotation-report-20260101T000000Z-a1b2c3.json]
summary:
  description: The summary as lines to read.
  returned: always
  type: list
  elements: str
  sample: ["Key ID 3 to 4 on 3 nodes."]
"""
