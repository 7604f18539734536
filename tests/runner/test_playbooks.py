"""The playbooks are found in a checkout, and in what an installation holds."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from runbooks.runner.options import RotateOptions
from runbooks.runner.playbooks import ROTATE, playbooks_folder
from runbooks.runner.prepare import prepare

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"


def shipped(folder):
    """Files that a run may need, relative to the folder of the playbooks."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", ".ansible"} & {*path.parts}
    }


def test_checkout_has_its_own():
    assert playbooks_folder() == PLAYBOOKS


def test_without_playbooks_both_places_are_named(tmp_path):
    package = tmp_path / "runbooks"
    with pytest.raises(FileNotFoundError) as raised:
        playbooks_folder(package)
    assert str(package / "_playbooks") in str(raised.value)
    assert str(tmp_path / "playbooks") in str(raised.value)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What pip would unpack."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_wheel_ships_every_file_of_the_playbooks(installed):
    found = playbooks_folder(installed / "runbooks")
    assert found == installed / "runbooks" / "_playbooks"
    assert shipped(found) == shipped(PLAYBOOKS)


def test_playbook_of_an_installation_is_complete_for_ansible(installed, tmp_path):
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            ROTATE,
            "--list-tasks",
        ],
        cwd=installed / "runbooks" / "_playbooks",
        env=os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Put the next key into the Secret" in done.stdout


def test_prepared_folder_must_be_empty(tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(FileExistsError):
        prepare(RotateOptions(), tmp_path)


def test_prepared_folder_has_the_project_and_the_inventory(tmp_path):
    folder = tmp_path / "run"
    command = prepare(RotateOptions(context="there", check=True), folder)
    assert f"transmit {folder} -p {ROTATE}" in command
    assert shipped(folder / "project") == shipped(PLAYBOOKS)
    assert (folder / "inventory" / "localhost.yml").is_file()
    line = (folder / "env" / "cmdline").read_text()
    assert '"ipsec_context": "there"' in line
    assert line.endswith(" --check\n")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_prepared_folder_has_the_hosts_beside_localhost(tmp_path):
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("cilium_nodes: {hosts: {a: {}}}")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "others.yml").touch()
    for number, given in enumerate((hosts, tmp_path / "more")):
        folder = tmp_path / f"run{number}"
        prepare(RotateOptions(inventory=given), folder)
        names = {path.name for path in (folder / "inventory").iterdir()}
        assert names == {"localhost.yml", ("hosts.yml", "others.yml")[number]}
        assert "--inventory" not in (folder / "env" / "cmdline").read_text()


@pytest.mark.parametrize(
    "value",
    [
        "ipsec_namespace=cilium rotation_secret_name='own keys'",
        '{"ipsec_namespace": "cilium", "rotation_secret_name": "own keys"}',
        "@{folder}/vars.yml",
    ],
)
def test_lock_is_given_back_where_the_playbook_took_it(value, tmp_path):
    variables = {"ipsec_namespace": "cilium", "rotation_secret_name": "own keys"}
    (tmp_path / "vars.yml").write_text(yaml.safe_dump(variables))
    extra = (value.replace("{folder}", str(tmp_path)),)
    target = RotateOptions(namespace="other", extra_vars=extra).targets()[0]
    assert (target.namespace, target.secret_name) == ("cilium", "own keys")


def test_values_that_only_ansible_understands_are_left_to_it(tmp_path):
    extra = ("@missing.yml", "{not: [yaml", "'open", f"@{tmp_path}")
    assert RotateOptions(extra_vars=extra).targets()[0].namespace == "kube-system"
