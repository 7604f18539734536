"""The checker of pages can fail: each way in which a page can be wrong is shown."""

from __future__ import annotations

import os
import select
import textwrap
from pathlib import Path

import pytest
from sybil import Document

from runbooks.pages.evaluate import Tally, evaluator
from runbooks.pages.session import PageError, ShellSessionParser, commands_of, lab_of
from runbooks.pages.shell import Shell, ShellTimeoutError


@pytest.fixture
def shell(tmp_path):
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    with Shell(tmp_path, env, limit_s=10) as shell:
        yield shell


def run_page(text: str, shell: Shell, *, markdown: bool = False) -> Tally:
    tally = Tally()
    parser = ShellSessionParser(evaluator(shell, tally), markdown=markdown)
    document = Document(textwrap.dedent(text), "page.md" if markdown else "page.rst")
    for region in parser(document):
        document.add(region)
    for example in document.examples():
        example.evaluate()
    return tally


def block(body: str, before: str = "") -> str:
    indented = textwrap.indent(textwrap.dedent(body).strip("\n"), "   ")
    return (
        f"Text.\n\n{before}\n\n.. code-block:: shell-session\n\n{indented}\n\nMore.\n"
    )


def test_right_output_passes_and_is_counted(shell):
    tally = run_page(block("$ echo one\none\n$ true"), shell)
    assert (tally.blocks, tally.commands, tally.skipped) == (1, 2, [])


def test_wrong_output_fails_with_the_command_both_outputs_and_the_line(shell):
    with pytest.raises(AssertionError) as caught:
        run_page(block("$ true\n$ echo one\ntwo"), shell)
    message = str(caught.value)
    assert "line 8: $ echo one" in message
    assert "-two" in message
    assert "+one" in message


def test_missing_command_fails(shell):
    with pytest.raises(AssertionError, match="It exited 127, not 0"):
        run_page(block("$ no-such-command-here"), shell)


def test_output_that_the_page_does_not_show_fails(shell):
    with pytest.raises(AssertionError, match=r"\+surprise"):
        run_page(block("$ echo surprise"), shell)


def test_output_that_does_not_come_fails(shell):
    with pytest.raises(AssertionError, match="-promised"):
        run_page(block("$ true\npromised"), shell)


def test_error_stream_is_output_too(shell):
    run_page(block("$ echo oops >&2\noops"), shell)


def test_unexpected_exit_status_fails_and_shows_the_output(shell):
    with pytest.raises(AssertionError, match=r"(?s)It exited 3, not 0.*It printed:\nx"):
        run_page(block("$ echo x; (exit 3)\nx"), shell)


def test_stated_exit_status_passes(shell):
    run_page(block("$ (exit 3)", before=".. exit-status: 3"), shell)


def test_stated_exit_status_that_does_not_come_fails(shell):
    with pytest.raises(AssertionError, match="It exited 0, not 3"):
        run_page(block("$ true", before=".. exit-status: 3"), shell)


def test_stated_exit_status_is_the_last_commands_only(shell):
    with pytest.raises(AssertionError, match="It exited 3, not 0"):
        run_page(block("$ (exit 3)\n$ (exit 3)", before=".. exit-status: 3"), shell)


def test_reader_can_ask_for_the_exit_status(shell):
    run_page(block("$ (exit 3)\n$ echo $?\n3"), shell)


def test_wrong_answer_about_the_exit_status_fails(shell):
    with pytest.raises(AssertionError, match=r"\+3"):
        run_page(block("$ (exit 3)\n$ echo $?\n4"), shell)


def test_ellipsis_stands_for_any_text_within_and_across_lines(shell):
    run_page(block("$ printf 'a 17 b\\nc\\nd\\n'\na ... b\n...\nd"), shell)


def test_ellipsis_does_not_excuse_the_rest(shell):
    with pytest.raises(AssertionError):
        run_page(block("$ echo a 17 c\na ... b"), shell)


def test_whitespace_within_a_line_counts(shell):
    with pytest.raises(AssertionError):
        run_page(block("$ echo 'a  b'\na b"), shell)


def test_whitespace_that_nobody_sees_does_not_count(shell):
    run_page(block("$ printf 'a  \\nb\\n\\n'\na\nb"), shell)


def test_tab_and_its_spaces_look_the_same(shell):
    run_page(block("$ printf '\\tmark\\n'\n        mark"), shell)


def test_blank_lines_between_lines_of_output_count(shell):
    run_page(block("$ printf 'a\\n\\nb\\n'\na\n\nb"), shell)
    with pytest.raises(AssertionError):
        run_page(block("$ printf 'a\\n\\nb\\n'\na\nb"), shell)


def test_output_without_an_end_of_line_is_read(shell):
    run_page(block("$ printf a\na\n$ printf b\nb"), shell)


def test_folder_and_variables_live_on_between_blocks(shell):
    page = block("$ mkdir inner && cd inner\n$ export GREETING=hi")
    run_page(page + block("$ basename $PWD; sh -c 'echo $GREETING'\ninner\nhi"), shell)


@pytest.mark.parametrize(
    "body",
    [
        "$ printf '%s\\n' a \\\n    b\na\nb",
        "$ printf '%s\\n' a \\\n> b\na\nb",
        "$ for x in a b; do\n>   echo $x\n> done\na\nb",
        "$ cat <<EOF\n> a\n> b\n> EOF\na\nb",
    ],
)
def test_command_goes_on_over_lines(shell, body):
    run_page(block(body), shell)


def test_hash_prompt_is_root(shell):
    (command,) = commands_of("# id -u\n0")
    assert command.as_root
    if os.geteuid() == 0:
        run_page(block("# id -u\n0"), shell)


def test_hash_in_the_output_of_an_ordinary_command_is_output(shell):
    run_page(block("$ printf '# a comment\\n'\n# a comment"), shell)


def test_block_with_a_reason_is_not_run_but_reported(shell):
    tally = run_page(block("$ false", before=".. skip-run: needs a browser"), shell)
    assert tally.skipped == [(5, "needs a browser")]
    assert tally.commands == 0


@pytest.mark.parametrize(
    ("before", "complaint"),
    [
        (".. skip-run:", "gives no reason"),
        (".. skip-rum: typing error", "unknown comment"),
        (".. exit-status: one", "is a number"),
    ],
)
def test_comment_that_says_nothing_is_refused(shell, before, complaint):
    with pytest.raises(PageError, match=rf"page.rst:5: .*{complaint}"):
        run_page(block("$ true", before=before), shell)


def test_comment_before_other_text_does_not_reach_the_block(shell):
    with pytest.raises(AssertionError, match="It exited 1"):
        run_page(".. skip-run: not this one\n\n" + block("$ false"), shell)


def test_block_that_starts_without_a_prompt_is_refused(shell):
    with pytest.raises(PageError, match="starts with a prompt"):
        run_page(block("echo one"), shell)


def test_block_in_a_tab_is_found(shell):
    page = textwrap.indent(block("$ false"), "      ")
    with pytest.raises(AssertionError, match="It exited 1"):
        run_page(f".. tabs::\n\n   .. group-tab:: A\n\n{page}", shell)


def test_other_languages_are_left_alone(shell):
    page = block("$ false").replace("shell-session", "yaml")
    assert run_page(page, shell).blocks == 0


def test_markdown_blocks_are_run(shell):
    with pytest.raises(AssertionError, match="It exited 1"):
        run_page("Text.\n\n```shell-session\n$ false\n```\n", shell, markdown=True)


def test_markdown_comment_is_read(shell):
    page = "<!-- skip-run: long -->\n\n```shell-session\n$ false\n```\n"
    assert run_page(page, shell, markdown=True).skipped == [(3, "long")]


def test_command_that_does_not_end_fails_with_what_it_printed(tmp_path):
    env = {"PATH": os.environ["PATH"]}
    with (
        Shell(tmp_path, env, limit_s=0.5) as shell,
        pytest.raises(AssertionError, match=r"(?s)within 0\.5 s.*waiting"),
    ):
        run_page(block("$ echo waiting; read -r _ < <(tail -f /dev/null)"), shell)


def test_timeout_ends_what_the_command_started(tmp_path):
    fifo = tmp_path / "held-open"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with Shell(tmp_path, {"PATH": os.environ["PATH"]}, limit_s=0.5) as shell:
        with pytest.raises(ShellTimeoutError):
            shell.run(f"tail -f /dev/null >{fifo}")
        readable, _, _ = select.select([reader], [], [], 10)
        assert readable, "the command still holds its output open"
        assert os.read(reader, 1) == b""
    os.close(reader)


def test_command_that_ends_the_shell_is_told_by_its_status(tmp_path):
    with Shell(Path(tmp_path), {"PATH": os.environ["PATH"]}, limit_s=10) as shell:
        assert shell.run("echo bye; exit 4") == ("bye\n", 4)


@pytest.mark.parametrize(
    ("first", "lab"),
    [
        (".. lab: --mode crd --nodes 4", ("--mode", "crd", "--nodes", "4")),
        ("<!-- lab: --ipv6 -->", ("--ipv6",)),
        (".. lab: none", None),
        (".. _lab:", ()),
        ("Title", ()),
    ],
)
def test_first_line_says_which_lab_a_page_is_about(first, lab):
    assert lab_of(f"{first}\n\nText.\n") == lab


def test_lab_is_named_nowhere_but_on_the_first_line(shell):
    with pytest.raises(PageError, match="unknown comment before a block"):
        run_page(block("$ true", ".. lab: --mode crd"), shell)
