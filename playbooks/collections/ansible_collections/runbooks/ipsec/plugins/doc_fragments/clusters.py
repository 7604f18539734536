"""Options of every module that can work on several clusters at once."""


class ModuleDocFragment:
    """Which clusters, where there are several."""

    DOCUMENTATION = r"""
options:
  contexts:
    description:
      - Contexts of the kubeconfig, for a mesh of several clusters that get one key.
        Results then call a node C(context/node).
    type: list
    elements: str
    default: []
"""
