"""Options of every module that runs the check."""


class ModuleDocFragment:
    """How the check looks at the nodes."""

    DOCUMENTATION = r"""
options:
  sample_interval:
    description: Seconds between the two samples of the check.
    type: float
    default: 2
"""
