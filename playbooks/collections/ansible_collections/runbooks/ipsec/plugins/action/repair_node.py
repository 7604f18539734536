"""Action of the module of the same name, which documents it."""

from ansible_collections.runbooks.ipsec.plugins.plugin_utils.step import StepAction


class ActionModule(StepAction):
    """Deletes the stale inbound states of one node."""

    step = "repair_node"
