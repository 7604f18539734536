"""Action of the module of the same name, which documents it."""

from ansible_collections.runbooks.ipsec.plugins.plugin_utils.step import StepAction


class ActionModule(StepAction):
    """Marks the rotation as over."""

    step = "finish"
