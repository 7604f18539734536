"""Options of every step that waits for the nodes to go to a new key."""


class ModuleDocFragment:
    """Which key, and how often to look."""

    DOCUMENTATION = r"""
options:
  key_id:
    description: The key ID that the nodes go to.
    type: int
    required: true
  interval:
    description: Seconds between two looks at the nodes.
    type: float
    default: 2
"""
