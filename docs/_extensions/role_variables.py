"""``role-variables``: the variables of an Ansible role, from its declaration.

Ansible refuses to start a role whose variables break
``meta/argument_specs.yml``; this directive makes the reference page from the same
file, so the page can't differ from what is checked.

    .. role-variables:: rotate_ipsec_key
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def rst_of_option(name: str, option: dict[str, Any]) -> list[str]:
    """Lay out one variable.

    Args:
        name: Name of the variable.
        option: Its entry in the argument specification.

    Returns:
        Lines of reStructuredText: a definition-list item.
    """
    kind = option.get("type", "str")
    if kind == "list" and "elements" in option:
        kind = f"list of {option['elements']}"
    facts = [kind]
    if option.get("required"):
        facts.append("required")
    if "default" in option:
        facts.append(f"default ``{yaml_scalar(option['default'])}``")
    if "choices" in option:
        facts.append(
            "one of " + ", ".join(f"``{yaml_scalar(c)}``" for c in option["choices"])
        )
    description = option.get("description", [])
    paragraphs = [description] if isinstance(description, str) else description
    lines = [f"``{name}``", f"   *{kind}*" + "".join(f"; {f}" for f in facts[1:]), ""]
    for paragraph in paragraphs:
        lines += [f"   {rst_of_markup(paragraph)}", ""]
    return lines


def rst_of_markup(text: str) -> str:
    """Turn Ansible's markup in descriptions into reStructuredText.

    Args:
        text: A paragraph, for example ``C(--check) changes nothing``.

    Returns:
        The paragraph on one line.
    """
    line = " ".join(text.split())
    line = re.sub(r"\bB\(([^)]*)\)", r"**\1**", line)
    line = re.sub(r"\bI\(([^)]*)\)", r"*\1*", line)
    return re.sub(r"\b[CEOV]\(([^)]*)\)", r"``\1``", line)


def yaml_scalar(value: object) -> str:
    """Write a default the way a playbook would.

    Args:
        value: A value read from YAML.

    Returns:
        The same value as YAML on one line.
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()


class RoleVariables(SphinxDirective):
    """The directive; its argument is a role's folder under ``playbooks/roles``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Read the role's declaration and lay its variables out."""
        role = self.arguments[0]
        path = Path(self.config.role_variables_root, role, "meta/argument_specs.yml")
        if not path.is_file():
            raise self.error(f"role {role!r} declares no variables: no file {path}")
        self.env.note_dependency(str(path))
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        lines: list[str] = []
        for name, option in specs["main"].get("options", {}).items():
            lines += rst_of_option(name, option)
        if not lines:
            return [nodes.paragraph(text="This role takes no variables.")]
        container = nodes.container()
        content = StringList(lines, source=str(path))
        nested_parse_with_titles(self.state, content, container)
        return list(container.children)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive with Sphinx."""
    app.add_directive("role-variables", RoleVariables)
    app.add_config_value("role_variables_root", "playbooks/roles", "env", str)
    return {"version": "1", "parallel_read_safe": True}
