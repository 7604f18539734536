"""Action of the module of the same name, which documents it."""

from ansible_collections.runbooks.ipsec.plugins.plugin_utils.node_step import (
    NodeStepAction,
)


class ActionModule(NodeStepAction):
    """Gives one node the next key."""

    step = "write"
