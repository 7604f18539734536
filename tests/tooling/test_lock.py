"""The lock file: complete, hashed, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK_TEXT = (ROOT / "requirements.lock").read_text()
PYTHONS = ("3.11", "3.12", "3.13")


def _locked() -> list[tuple[Requirement, str]]:
    """Each pinned requirement with the lines that follow it."""
    without_comments = re.sub(r"^\s*#.*\n", "", LOCK_TEXT, flags=re.MULTILINE)
    entries = re.split(r"\n(?=\S)", without_comments.strip())
    return [
        (Requirement(head.rstrip(" \\")), rest)
        for head, _, rest in (entry.partition("\n") for entry in entries)
    ]


def _declared() -> list[str]:
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    return [
        *PYPROJECT["build-system"]["requires"],
        *project["dependencies"],
        *(dependency for extra in extras for dependency in extra),
    ]


def _versions_on(python: str) -> dict[str, Version]:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found = {}
    for requirement, _ in _locked():
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (pin,) = requirement.specifier
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is locked twice for Python {python}"
            found[name] = Version(pin.version)
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_every_declared_dependency(python):
    versions = _versions_on(python)
    unsatisfied = [
        text
        for text in _declared()
        if (declared := Requirement(text))
        and versions.get(canonicalize_name(declared.name)) not in declared.specifier
    ]
    assert not unsatisfied, "run `make lock`"


def test_every_locked_package_is_pinned_and_hashed():
    for requirement, rest in _locked():
        assert [pin.operator for pin in requirement.specifier] == ["=="], requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), requirement


def test_lock_names_no_index():
    assert "://" not in LOCK_TEXT
    options = set(re.findall(r"(?<!\S)--[a-z-]+", LOCK_TEXT))
    assert options == {"--hash"}
