"""Action of the module of the same name, which documents it."""

from ansible_collections.runbooks.ipsec.plugins.plugin_utils.step import StepAction


class ActionModule(StepAction):
    """Records a rotation of key files."""

    step = "begin"
    steps = "runbooks.rotation.key_files.ansible"
