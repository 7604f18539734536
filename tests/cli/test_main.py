"""However the command line is started, it goes by one name."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", [[], ["check"]], ids=["program", "command"])
def test_module_calls_itself_as_pages_do(command):
    argv = [sys.executable, "-m", "runbooks", *command, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(" ".join(["Usage: ipsec-runbooks", *command, "["]))
