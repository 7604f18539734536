"""``command-line``: every command and option of a Typer app, from the app itself.

    .. command-line:: runbooks.cli:app
       :prog: ipsec-runbooks

Each command gets a section that begins one level below the directive, a label
(``cli-lab-up``), and ``option`` directives, so that ``:option:`` leads to each.

Typer carries its own copy of click, which ``sphinx-click`` refuses; and
``sphinxcontrib-typer`` shows help screens as pictures or plain blocks, in which no
option has an anchor.

    .. check-scripts::

is a table of the scripts in ``runbooks/checks`` with what each of them says it does.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles
from typer.main import get_command

from runbooks import checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

#: What is left to the reader's shell, and to typer.
_NOT_SHOWN = {"--help", "--install-completion", "--show-completion"}
#: Commands may have commands of their own; each level has its line below titles.
_UNDERLINES = "=-~^"
_LITERAL = re.compile(r"(``.+?``)")
_OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)")
_EXIT_STATUS = re.compile(r"\s*Exit status: (?P<meanings>\d+ .*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option or argument of a command.

    Attributes:
        signature: Its names and what they take, for example ``-o, --output DIR``.
        help: What it does, in plain text.
        facts: Its default, range and whether it is required, as ``--help`` says.
    """

    signature: str
    help: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the app.

    Attributes:
        path: Its words, the program's name first.
        usage: What to type, without ``Usage:``.
        help: Its paragraphs, in plain text.
        exit_statuses: Meaning of each status that its help tells.
        arguments: Its arguments, in order.
        options: Its options, in order.
    """

    path: tuple[str, ...]
    usage: str
    help: tuple[str, ...]
    exit_statuses: dict[int, str]
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]

    @property
    def label(self) -> str:
        """The label of its section, for example ``cli-lab-up``."""
        return "-".join(("cli", *self.path[1:]))


def commands_of(app: Any, prog: str) -> Iterator[Command]:
    """Walk through an app.

    Args:
        app: A ``typer.Typer``.
        prog: Name of the program.

    Yields:
        Every command that is not hidden, groups before what they hold; the program
        itself is not one of them.
    """
    top = get_command(app)
    yield from _below(top, top.make_context(prog, [], resilient_parsing=True), (prog,))


def _below(group: Any, context: Any, path: tuple[str, ...]) -> Iterator[Command]:
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if found.hidden:
            continue
        inner = found.make_context(name, [], parent=context, resilient_parsing=True)
        yield _command(found, inner, (*path, name))
        if hasattr(found, "list_commands"):
            yield from _below(found, inner, (*path, name))


def _command(found: Any, context: Any, path: tuple[str, ...]) -> Command:
    text, exit_statuses = _split_exit_statuses(found.help or "")
    shown = [
        p
        for p in found.params
        if not getattr(p, "hidden", False) and not _NOT_SHOWN & {*p.opts}
    ]
    kinds = {
        kind: tuple(
            _parameter(p.get_help_record(context))
            for p in shown
            if p.param_type_name == kind
        )
        for kind in ("argument", "option")
    }
    return Command(
        path=path,
        usage=found.get_usage(context).removeprefix("Usage:").strip(),
        help=tuple(" ".join(p.split()) for p in text.split("\n\n") if p.strip()),
        exit_statuses=exit_statuses,
        arguments=kinds["argument"],
        options=kinds["option"],
    )


def _split_exit_statuses(text: str) -> tuple[str, dict[int, str]]:
    """Part ``Exit status: 0 done, 1 failed.`` from a command's help."""
    found = _EXIT_STATUS.search(text)
    if not found:
        return text, {}
    meanings = " ".join(found["meanings"].split()).removesuffix(".")
    pairs = [part.split(" ", 1) for part in re.split(r", (?=\d+ )", meanings)]
    return text[: found.start()], {int(status): what for status, what in pairs}


def _parameter(record: tuple[str, str]) -> Parameter:
    signature, text = record
    words, _, facts = text.partition("  [")
    shown = facts.removesuffix("]").split("; ") if facts else []
    return Parameter(signature, words, tuple(shown))


def plain_to_rst(text: str) -> str:
    """Write plain help text as reStructuredText, options as literals.

    Args:
        text: What ``--help`` prints; may have literals in double backticks.
    """
    parts = _LITERAL.split(text)
    for n in range(0, len(parts), 2):
        escaped = re.sub(r"([\\*|`]|_\b)", r"\\\1", parts[n])
        parts[n] = _OPTION.sub(r"``\1``", escaped)
    return "".join(parts)


def rst_of_command(command: Command) -> list[str]:
    """Lay out one command.

    Args:
        command: The command.

    Returns:
        Lines of reStructuredText: a section with its label.
    """
    title = " ".join(command.path)
    underline = _UNDERLINES[len(command.path) - 2] * len(title)
    lines = [f".. _{command.label}:", "", title, underline, ""]
    lines += [f".. program:: {title}", ""]
    lines += [".. code-block:: text", "", f"   {command.usage}", ""]
    for paragraph in command.help:
        lines += [plain_to_rst(paragraph), ""]
    for argument in command.arguments:
        lines += [f"``{argument.signature}``"]
        lines += [f"   {line}" for line in _rst_of_parameter(argument)]
    for option in command.options:
        lines += [f".. option:: {option.signature}", ""]
        lines += [f"   {line}" for line in _rst_of_parameter(option)]
    if command.exit_statuses:
        lines += [".. list-table:: Exit status", "   :widths: 15 85", ""]
        for status, meaning in command.exit_statuses.items():
            lines += [f"   * - ``{status}``", f"     - {plain_to_rst(meaning)}"]
        lines += [""]
    return lines


def _rst_of_parameter(parameter: Parameter) -> list[str]:
    sentences = [plain_to_rst(parameter.help)]
    for fact in parameter.facts:
        name, _, value = fact.partition(": ")
        match name:
            case "default":
                sentences.append(f"Default: ``{value}``.")
            case "required":
                sentences.append("Required.")
            case _:
                sentences.append(f"Range: ``{fact}``.")
    return [" ".join(sentences), ""]


class CommandLine(SphinxDirective):
    """The directive; its argument names the app as ``module:attribute``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"prog": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Load the app and lay its commands out."""
        module_name, _, attribute = self.arguments[0].partition(":")
        app = getattr(importlib.import_module(module_name), attribute)
        for name, module in list(sys.modules.items()):
            if f"{name}.".startswith(f"{module_name}.") and module.__file__:
                self.env.note_dependency(module.__file__)
        lines = [
            line
            for command in commands_of(app, self.options["prog"])
            for line in rst_of_command(command)
        ]
        container = nodes.section()
        container.document = self.state.document
        content = StringList(lines, source=self.arguments[0])
        nested_parse_with_titles(self.state, content, container)
        return list(container.children)


def scripts() -> Iterator[tuple[Path, str]]:
    """Find the check scripts.

    Yields:
        Each script's file, and the first sentence of its docstring.
    """
    for path in sorted(Path(checks.__file__).parent.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if f"python -m runbooks.checks.{path.stem}" in text:
            yield path, " ".join(text.partition("\n\n")[0].split())


class CheckScripts(SphinxDirective):
    """The table of check scripts."""

    def run(self) -> list[nodes.Node]:
        """Read the scripts and lay them out."""
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 45 55", ""]
        lines += ["   * - Script", "     - What it does"]
        for path, sentence in scripts():
            self.env.note_dependency(str(path))
            lines.append(f"   * - ``runbooks.checks.{path.stem}``")
            lines.append(f"     - {plain_to_rst(sentence)}")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive with Sphinx."""
    app.add_directive("command-line", CommandLine)
    app.add_directive("check-scripts", CheckScripts)
    return {"version": "1", "parallel_read_safe": True}
