"""The image for AWX: complete, in step with the package, and bound to no registry."""

import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "execution-environment.yml").read_text()
IMAGE = yaml.safe_load(TEXT)
STEPS = IMAGE["additional_build_steps"]["append_final"]


def test_everything_it_copies_exists():
    sources = [entry["src"] for entry in IMAGE["additional_build_files"]]
    sources.append(IMAGE["dependencies"]["galaxy"])
    assert [name for name in sources if not (ROOT / name).exists()] == []
    assert {"pyproject.toml", "requirements.lock", "runbooks", "playbooks"} < {*sources}


def test_it_names_no_registry():
    registry, slash, _ = IMAGE["images"]["base_image"]["name"].rpartition("/")
    assert (registry, slash) == ("", "")
    assert "://" not in TEXT


@pytest.mark.parametrize("name", ["ansible-core", "ansible-runner"])
def test_ansible_is_the_one_that_the_package_supports(name):
    project = (ROOT / "pyproject.toml").read_text()
    wanted = IMAGE["dependencies"][name.replace("-", "_")]["package_pip"]
    assert f'"{wanted}"' in project


def test_lock_becomes_constraints_without_hashes():
    (step,) = (step for step in STEPS if "constraints.txt" in step and "sed" in step)
    command, _, _ = step.removeprefix("RUN ").partition(" > ")
    command = command.replace("/tmp/package/requirements.lock", "requirements.lock")
    made = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pins = [Requirement(line) for line in made.stdout.splitlines()]
    assert "kubernetes" in [pin.name for pin in pins]
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    assert len(pins) == sum(line[:1].isalnum() for line in locked)
    assert all(str(pin.specifier).startswith("==") for pin in pins)
