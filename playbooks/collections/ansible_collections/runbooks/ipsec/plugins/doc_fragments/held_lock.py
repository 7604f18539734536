"""Options of every step that works while its run holds the lock."""


class ModuleDocFragment:
    """The lock, and how it is kept."""

    DOCUMENTATION = r"""
options:
  lock:
    description: Whether the run holds the lock, and has to renew it.
    type: bool
    default: true
  lock_duration:
    description: Seconds for which the lock lasts without being renewed.
    type: int
    default: 60
"""
