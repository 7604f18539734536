"""Every input that fuzzing once failed on, and what fuzzing begins with."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, seeds

FINDINGS = Path(__file__).parent / "findings"


def inputs():
    for name in TARGETS:
        for number, content in enumerate(seeds(name)):
            yield pytest.param(name, content, id=f"{name}-seed-{number}")
        for path in sorted((FINDINGS / name).glob("*")):
            yield pytest.param(name, path.read_bytes(), id=f"{name}-{path.name}")


@pytest.mark.parametrize(("name", "content"), [*inputs()])
def test_what_was_found_stays_mended(name, content):
    TARGETS[name](content)
