"""The rules of Cilium's documentation style guide that a program can check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.docs.style.prose import Prose

ROOT = Path(__file__).resolve().parents[3]
#: Words that the dictionary lacks; those with a capital are names.
WORD_LIST = ROOT / "docs" / "spelling-words.txt"
LONGEST_LINE = 80
#: First line of a file that a program wrote: its lines are as long as its cells.
GENERATED = ".. Written by the command"


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """One place where a page breaks a rule; line and column count from 1."""

    line: int
    column: int
    rule: str
    message: str


#: Rule, what it looks for, and what to write instead.
WORDS = (
    (
        "latin-abbreviation",
        r"\b(?:e\.\s?g\b\.?|i\.\s?e\b\.?|etc\b\.?|via\b|viz\b|cf\.|vs\b\.?|et al\b|"
        r"N\.?B\.)",
        "say it in English: for example, in other words, and others, through",
    ),
    (
        "future-tense",
        r"\b(?:will|shall|won['\N{RIGHT SINGLE QUOTATION MARK}]t|"
        r"\w+['\N{RIGHT SINGLE QUOTATION MARK}]ll)\b",
        "use the present tense",
    ),
    (
        "first-person",
        r"\b(?:[Ww]e(?:['\N{RIGHT SINGLE QUOTATION MARK}](?:re|ve|ll|d))?|[Oo]urs?|"
        r"[Uu]s|[Ll]et['\N{RIGHT SINGLE QUOTATION MARK}]s|[Oo]urselves)\b",
        'address the reader as "you"',
    ),
    (
        "belittling",
        r"(?i:\b(?:please|simply|just|eas(?:y|ily|ier)|obviously|of\s+course)\b)",
        "leave the word out, or say what is meant",
    ),
    (
        "indirect-advice",
        r"(?i:\bit\s+is\s+(?:recommended|advised|advisable|suggested)\b)",
        "say what to do",
    ),
    (
        "direction",
        r"(?i:\b(?:see|listed|shown|described|mentioned|explained|as)\s+"
        r"(?:above|below)\b(?!\s+(?:the|its|a)\b))",
        'say "the following", or link to the place',
    ),
    ("ampersand", r"(?<=\s)&(?=\s)", 'write "and"'),
)


def _words_rule(
    name: str, pattern: str, advice: str
) -> Callable[[Prose], Iterator[Breach]]:
    compiled = re.compile(pattern)

    def check(page: Prose) -> Iterator[Breach]:
        for line, column, found in page.find(compiled):
            around = page.words[line - 1][max(column - 2, 0) : column + len(found)]
            # A word in quotation marks is spoken of, not used.
            if around != f'"{found}"':
                yield Breach(line, column, name, f'"{found}": {advice}')

    return check


def check_heading_case(page: Prose) -> Iterator[Breach]:
    """Headings are in sentence case; names keep their capitals."""
    for heading in page.headings:
        title = re.sub(r"(?::[\w:-]+:)?`+[^`]*`+", "0", heading.title)
        words = re.findall(r"[^\s,;:()/\u201c\u201d\"?!]+", title)
        wrong = [
            word
            for word in words[1:]
            if re.fullmatch(r"[A-Z][a-z]+(?:[-'\u2019][A-Za-z]+)*", word)
            and not _is_name(word)
        ]
        if words and re.fullmatch(r"[a-z]+", words[0]):
            wrong.insert(0, words[0])
        for word in wrong[:1]:
            column = page.lines[heading.line - 1].index(word) + 1
            message = f'"{word}": write headings in sentence case'
            yield Breach(heading.line, column, "heading-case", message)


@cache
def _names() -> frozenset[str]:
    listed = WORD_LIST.read_text(encoding="utf-8").split()
    return frozenset(word for word in listed if word[0].isupper())


def _is_name(word: str) -> bool:
    stem = re.sub(r"['\u2019]s$", "", word)
    return word == "I" or stem in _names() or stem.split("-")[0] in _names()


def check_code_language(page: Prose) -> Iterator[Breach]:
    """Blocks of code name their language, and commands have prompts."""
    for block in page.blocks:
        if block.directive in {"parsed-literal", "literalinclude"}:
            continue
        if block.directive != "code-block":
            message = f'".. {block.directive}::": use ".. code-block::"'
            yield Breach(block.line, 1, "code-language", message)
        elif block.language is None:
            message = "name the language of the code"
            yield Breach(block.line, 1, "code-language", message)
        elif block.language == "shell-session" and block.first[:2] not in {"$ ", "# "}:
            message = f'"{block.first}": begin a shell session with a prompt'
            yield Breach(block.line, 1, "code-language", message)


def check_embedded_link(page: Prose) -> Iterator[Breach]:
    """An embedded address makes no name that another page could clash with."""
    if page.path.suffix != ".rst":
        return
    pattern = re.compile(r"`[^`<]+<[a-z]+://[^`]+>`_(?!_)")
    for number, line in enumerate(page.lines, 1):
        if number not in page.verbatim and (found := pattern.search(line)):
            message = "end the link with two underscores, or name its target apart"
            yield Breach(number, found.start() + 1, "embedded-link", message)


def check_numbered_steps(page: Prose) -> Iterator[Breach]:
    """Steps of reStructuredText number themselves."""
    if page.path.suffix != ".rst":
        return
    step = re.compile(r"\s*(\d+\. )\S")
    before = ""
    for number, words in enumerate(page.words, 1):
        # A number in the middle of a paragraph begins a line by accident.
        found = step.match(words)
        if found and (not before.strip() or step.match(before)):
            message = f'"{found[1]}": begin steps with "#."'
            yield Breach(number, found.start(1) + 1, "numbered-steps", message)
        before = words


def check_line_length(page: Prose) -> Iterator[Breach]:
    """Lines of prose fit a terminal; code, tables and addresses stay whole."""
    if page.lines[0].startswith(GENERATED):
        return
    for number, line in enumerate(page.lines, 1):
        if len(line) <= LONGEST_LINE or number in page.verbatim | page.unbreakable:
            continue
        words = re.sub(r"^(?:[*-]|#\.|\.\.) +", "", line.strip())
        longest = max(map(len, words.split()), default=0)
        if longest + len(line) - len(line.lstrip()) > LONGEST_LINE:
            continue  # One word that can't be folded.
        message = f"{len(line)} characters: fold the line at {LONGEST_LINE}"
        yield Breach(number, LONGEST_LINE + 1, "line-length", message)


RULES: dict[str, Callable[[Prose], Iterator[Breach]]] = {
    **{name: _words_rule(name, pattern, advice) for name, pattern, advice in WORDS},
    "heading-case": check_heading_case,
    "code-language": check_code_language,
    "embedded-link": check_embedded_link,
    "numbered-steps": check_numbered_steps,
    "line-length": check_line_length,
}


def breaches(page: Prose) -> list[Breach]:
    """Check a page against every rule.

    Args:
        page: Its prose.

    Returns:
        Where it breaks one, in the order of the page, less what it exempts.
    """
    found = [
        breach
        for check in RULES.values()
        for breach in check(page)
        if breach.rule not in page.exemptions.get(breach.line, ())
    ]
    return sorted(found)
