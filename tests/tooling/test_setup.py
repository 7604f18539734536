"""`.ci/setup` on machines that lack what the lab needs.

Each test runs the real script with a PATH of its own, so that the machine it
sees has only what the test gives it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASICS = (
    *("bash", "cmp", "cp", "dirname", "env", "flock", "grep", "mkdir", "mv", "rm"),
    *("sha256sum", "touch"),
)
LAB_PACKAGES = (
    "user-mode-linux",
    "etcd-server",
    "kmod",
    "iproute2",
    "iputils-ping",
)

# Enough of an interpreter to make an environment that answers to its own name.
PYTHON_STUB = """
if [[ $1 == -m && $2 == venv ]]; then
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    echo "$3" >"$3/bin/activate"
fi
"""


class Machine:
    """A checkout and a PATH that holds only what was put there."""

    def __init__(self, directory: Path) -> None:
        self.checkout = directory / "a checkout"
        self.commands = directory / "commands"
        self.log = directory / "log"
        self.commands.mkdir()
        self.log.touch()
        (self.checkout / ".ci").mkdir(parents=True)
        # The fixed places where the script looks, whatever PATH says, would let
        # the real machine shine through.
        script = (ROOT / ".ci" / "setup").read_text()
        for place, instead in ((":/usr/sbin:/sbin:", ":"), (" /usr/bin/python3", "")):
            assert place in script
            script = script.replace(place, instead)
        (self.checkout / ".ci" / "setup").write_text(script)
        for name in ("pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.checkout)
        for name in BASICS:
            real = shutil.which(name)
            assert real, name
            (self.commands / name).symlink_to(real)
        self.add("python3", PYTHON_STUB)
        self.add("id", "echo 1000")

    def add(self, name: str, body: str) -> None:
        """Install a stub that logs its arguments and runs `body`."""
        stub = self.commands / name
        stub.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.log}"\n{body}\n')
        stub.chmod(0o755)

    def set_up(self, scope: str) -> subprocess.CompletedProcess[str]:
        bash = shutil.which("bash")
        assert bash
        environment = {
            name: value for name, value in os.environ.items() if name != "PYTHON"
        }
        return subprocess.run(
            [bash, ".ci/setup", scope],
            cwd=self.checkout,
            env=environment | {"PATH": str(self.commands)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_without_apt_it_names_what_to_install_and_stops(machine):
    result = machine.set_up("demo")
    assert result.returncode == 1
    assert " ".join(LAB_PACKAGES) in result.stderr


def test_without_root_and_sudo_it_names_the_command_and_stops(machine):
    machine.add("apt-get", "exit 0")
    result = machine.set_up("demo")
    assert result.returncode == 1
    assert "As root, run" in result.stderr
    assert " ".join(LAB_PACKAGES) in result.stderr


def test_missing_packages_are_installed_through_sudo_without_questions(machine):
    machine.add("apt-get", "exit 1")
    machine.add("apt-cache", 'echo "  Candidate: 1.0"')
    machine.add("dpkg", "exit 1")
    machine.add("sudo", 'exec "${@:2}"')
    machine.set_up("demo")
    log = machine.log.read_text().splitlines()
    sudo = next(line for line in log if line.startswith("sudo ") and "install" in line)
    assert sudo.startswith("sudo --non-interactive env DEBIAN_FRONTEND=noninteractive")
    assert "--no-install-recommends" in sudo
    assert sudo.endswith(" ".join(LAB_PACKAGES))


def test_a_new_etcd_is_kept_from_starting_as_a_service(machine):
    machine.add("apt-get", 'echo "offline=$SYSTEMD_OFFLINE" >>"$0.seen"')
    machine.add("apt-cache", 'echo "  Candidate: 1.0"')
    machine.add("systemctl", "exit 0")
    machine.add("id", "echo 0")
    machine.set_up("demo")
    seen = (machine.commands / "apt-get.seen").read_text().split()
    assert set(seen) == {"offline=1"}
    assert "systemctl --quiet disable etcd.service" in machine.log.read_text()


def test_unknown_packages_are_looked_up_again_after_an_update(machine):
    machine.add("apt-get", "exit 0")
    machine.add("apt-cache", 'echo "  Candidate: (none)"')
    machine.add("id", "echo 0")
    result = machine.set_up("demo")
    assert "apt-get update --quiet=2" in machine.log.read_text()
    assert result.returncode == 1
    assert "apt knows no package user-mode-linux" in result.stderr


def test_optional_packages_that_are_missing_do_not_stop_the_set_up(machine):
    for command in ("linux.uml", "etcd", "modprobe", "ip", "ping"):
        machine.add(command, "exit 0")
    result = machine.set_up("test")
    wanted = "enchant-2 hunspell-en-us kubernetes-client chromium chromium-driver"
    assert wanted in result.stdout
    assert "has no apt-get" not in result.stderr


def test_python_without_the_venv_module_is_completed_through_apt(machine):
    machine.add("python3", "exit 1")
    machine.add("apt-get", "exit 0")
    machine.add("apt-cache", 'echo "  Candidate: 1.0"')
    machine.add("id", "echo 0")
    result = machine.set_up("python")
    assert "python3 python3-venv" in machine.log.read_text()
    assert result.returncode == 1
    assert "no Python >= 3.11 with the venv module was found" in result.stderr


@pytest.mark.parametrize("there_is_apt", [True, False])
def test_lint_and_docs_go_on_where_the_dictionary_cannot_be_installed(
    machine, there_is_apt
):
    if there_is_apt:
        machine.add("apt-get", "exit 1")
    result = machine.set_up("python")
    assert result.returncode == 0
    assert "to install it: enchant-2 hunspell-en-us" in result.stdout
    assert "-m pip install" in machine.log.read_text()


@pytest.fixture
def set_up_machine(machine):
    machine.add("enchant-2", "exit 0")
    result = machine.set_up("python")
    assert result.returncode == 0, result.stderr
    assert "-m pip install" in machine.log.read_text()
    machine.log.write_text("")
    return machine


def test_a_second_run_installs_nothing(set_up_machine):
    result = set_up_machine.set_up("python")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert "-m pip" not in set_up_machine.log.read_text()


def test_a_changed_lock_updates_the_environment_in_place(set_up_machine):
    with (set_up_machine.checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    set_up_machine.set_up("python")
    log = set_up_machine.log.read_text()
    assert "-m pip install" in log
    assert "-m venv" not in log


def test_an_environment_left_by_an_interrupted_run_is_made_anew(set_up_machine):
    environment = set_up_machine.checkout / ".venv"
    (environment / ".set-up").rename(environment / ".unfinished")
    assert set_up_machine.set_up("python").returncode == 0
    assert "-m venv" in set_up_machine.log.read_text()
    assert not (environment / ".unfinished").exists()


def test_an_environment_of_a_moved_checkout_is_made_anew(set_up_machine):
    moved = set_up_machine.checkout.with_name("moved")
    set_up_machine.checkout.rename(moved)
    set_up_machine.checkout = moved
    assert set_up_machine.set_up("python").returncode == 0
    assert "-m venv" in set_up_machine.log.read_text()
