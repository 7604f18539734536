"""Options of every module that speaks to a cluster."""


class ModuleDocFragment:
    """Which cluster, and where Cilium lives in it."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: Path of a kubeconfig. The usual places when it is not given.
    type: path
  context:
    description: Context of the kubeconfig. The current one when it is not given.
    type: str
  namespace:
    description: Namespace of Cilium.
    type: str
    default: kube-system
  secret_name:
    description: Name of the Secret that holds the key.
    type: str
    default: cilium-ipsec-keys
  key_distribution:
    description:
      - How the nodes get the key. With V(files), there is no Secret, and the
        rotation's Lease carries its record.
    type: str
    choices: [secret, files]
    default: secret
requirements:
  - cilium-ipsec-runbooks, in the Python environment that runs Ansible
notes:
  - Runs on the controller, beside Ansible itself; nothing is copied anywhere.
  - No result, message or log line holds a key.
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction.
    support: full
"""
