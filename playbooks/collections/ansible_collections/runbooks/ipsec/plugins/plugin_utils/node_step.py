"""A step that asks the node that its task is delegated to."""

from __future__ import annotations

import contextlib
import importlib
import shlex
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible_collections.runbooks.ipsec.plugins.plugin_utils.step import StepAction

if TYPE_CHECKING:
    from runbooks.collect.agent_exec import Ran

STEPS = "runbooks.rotation.key_files.ansible"
# Once for a run, and not again in every worker: see the module of StepAction.
with contextlib.suppress(ImportError):
    importlib.import_module(STEPS)


class NodeStepAction(StepAction):
    """Passes the step a way to the node: Ansible's own connection, become included.

    Scripts are arguments, which every process on the node may see; what is secret
    goes through standard input alone.
    """

    steps = STEPS
    _requires_connection = True

    def _at_hand(self) -> dict[str, Any]:
        return {"shell": self._ask_node, "task_id": self._task._uuid}

    def _ask_node(self, script: str, given: bytes) -> Ran:
        from runbooks.collect.agent_exec import Ran
        from runbooks.rotation.key_files.node import NodeError

        if not self._connection.has_pipelining:
            raise NodeError(
                f"the connection {self._connection.transport} can't pass a command its"
                " standard input; use ssh"
            )
        command = shlex.join(["/bin/sh", "-c", script, "key-file"])
        try:
            ran = self._low_level_execute_command(command, in_data=given)
        except AnsibleError as error:
            raise NodeError(" ".join(str(error).split()).rstrip(".")) from None
        return Ran(ran["rc"], ran["stdout"], ran["stderr"])
