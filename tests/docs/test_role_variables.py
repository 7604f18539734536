"""The reference of variables is what Ansible checks."""

from __future__ import annotations

import sys

import pytest
import yaml

from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

from role_variables import rst_of_markup, rst_of_option, yaml_scalar

ROLES = sorted((ROOT / "playbooks" / "roles").iterdir())


def test_type_default_choices_and_meaning_are_shown():
    option = {
        "type": "list",
        "elements": "str",
        "default": [],
        "choices": ["a", "b"],
        "description": ["One.", "Two."],
    }
    assert rst_of_option("names", option) == [
        "``names``",
        "   *list of str*; default ``[]``; one of ``a``, ``b``",
        "",
        "   One.",
        "",
        "   Two.",
        "",
    ]


def test_required_variable_says_so():
    assert "required" in rst_of_option("name", {"required": True})[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (0, "0"),
        ("", "''"),
        ("kube-system", "kube-system"),
        (2.5, "2.5"),
    ],
)
def test_default_is_written_as_a_playbook_would(value, text):
    assert yaml_scalar(value) == text


def test_markup_of_ansible_becomes_markup_of_the_site():
    assert rst_of_markup("Set C(+) or E(HOME),\n not I(both) B(now).") == (
        "Set ``+`` or ``HOME``, not *both* **now**."
    )


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_variable_of_every_role_is_on_the_page(role, site):
    page = (site / "reference" / "rotation.html").read_text(encoding="utf-8")
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"]["options"]
    assert options
    assert [name for name in options if f">{name}<" not in page] == []
