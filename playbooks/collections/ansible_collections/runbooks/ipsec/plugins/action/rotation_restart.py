"""Action of the module of the same name, which documents it."""

from ansible_collections.runbooks.ipsec.plugins.plugin_utils.step import StepAction


class ActionModule(StepAction):
    """Restarts the agents that have not loaded the key."""

    step = "restart"
