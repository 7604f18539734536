"""One step of a runbook as an action plugin: options in, one call, result out.

The steps run inside the controller, not as modules in a process of their own:
they can show progress while they wait, and they end when the controller does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = "runbooks.rotation.ansible"
# Ansible loads an action plugin before it forks the worker that runs it: what is
# imported here is imported once, and not again for every step. A package that is
# missing is told of when a step is called.
with contextlib.suppress(ImportError):
    importlib.import_module(STEPS)

COLLECTION = "ansible_collections.runbooks.ipsec.plugins"
FRAGMENTS = "runbooks.ipsec."
SPEC_KEYS = ("type", "default", "required", "choices", "elements")


class StepAction(ActionBase):
    """Validates the options that a module documents, and makes one call.

    Attributes:
        step: Name of the function in ``steps``.
        steps: Module of the package.
    """

    step: ClassVar[str]
    steps: ClassVar[str] = "runbooks.rotation.ansible"
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make the call; what it refuses becomes the task's failure."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=self._argument_spec())
        call = self._function()
        result.update(
            call(
                options,
                check_mode=self._task.check_mode,
                controller_pid=os.getppid(),
                tell=lambda line: Display().display(f"    {line}"),
                **self._at_hand(),
            )
        )
        return result

    def _at_hand(self) -> dict[str, Any]:
        """What the call gets beside what every call gets."""
        return {}

    def _argument_spec(self) -> dict[str, dict[str, Any]]:
        name = self._task.action.rpartition(".")[2]
        module = importlib.import_module(f"{COLLECTION}.modules.{name}")
        documented = yaml.safe_load(module.DOCUMENTATION)
        options = dict(documented.get("options") or {})
        for fragment in documented["extends_documentation_fragment"]:
            short = fragment.removeprefix(FRAGMENTS)
            found = importlib.import_module(f"{COLLECTION}.doc_fragments.{short}")
            options |= yaml.safe_load(found.ModuleDocFragment.DOCUMENTATION)["options"]
        return {
            option: {key: about[key] for key in SPEC_KEYS if key in about}
            for option, about in options.items()
        }

    def _function(self) -> Callable[..., dict[str, Any]]:
        try:
            steps = importlib.import_module(self.steps)
        except ImportError as error:
            raise AnsibleActionFail(
                "The Python package cilium-ipsec-runbooks is not installed, or not"
                f" completely, for {sys.executable}, which runs Ansible ({error})."
                f" Install it: {sys.executable} -m pip install cilium-ipsec-runbooks"
            ) from None
        return getattr(steps, self.step)
