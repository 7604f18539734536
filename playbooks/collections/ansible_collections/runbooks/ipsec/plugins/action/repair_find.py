"""Action of the module of the same name, which documents it."""

from ansible_collections.runbooks.ipsec.plugins.plugin_utils.step import StepAction


class ActionModule(StepAction):
    """Finds the stale inbound states that can be deleted."""

    step = "repair_find"
