"""Take, or give back, the lock that keeps rotations apart."""

DOCUMENTATION = r"""
module: rotation_lock
short_description: Take, or give back, the lock that keeps rotations apart
description:
  - The lock is Lease C(cilium-ipsec-rotation) in Cilium's namespace.
  - >-
    A lock whose holder died is taken over: at once when the holder ran on this
    machine, and otherwise when the Lease has run out.
options:
  state:
    description: Whether this run shall hold the lock.
    type: str
    choices: [held, free]
    default: held
  lock_duration:
    description: Seconds for which the lock lasts without being renewed.
    type: int
    default: 60
extends_documentation_fragment:
  - runbooks.ipsec.cluster
  - runbooks.ipsec.clusters
author:
  - The cilium-ipsec-runbooks authors (@cilium-ipsec-runbooks)
"""

EXAMPLES = r"""
- name: Take the rotation lock
  runbooks.ipsec.rotation_lock:
    state: held
"""

RETURN = r"""
holder:
  description: Who holds the lock now.
  returned: always
  type: str
  sample: root@host:4711
taken_over_from:
  description: The dead holder from which the lock was taken.
  returned: always
  type: str
  sample: root@other:42
"""
