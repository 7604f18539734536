"""Key files of made-up hosts: each a folder, reached through a real shell."""

import os
import subprocess

import pytest

from runbooks.collect.agent_exec import Ran
from runbooks.rotation.key_files.node import look
from tests.rotation.fleet import key_line


class Host:
    """A host whose shell is ``/bin/sh`` on this machine.

    Every other write that a test asks for is real; ``before`` runs ahead of the
    command with that number.
    """

    def __init__(self, folder, name):
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.path = self.folder / "keys"
        self.path.write_text(key_line(3))
        self.path.chmod(0o640)
        self.ran = []
        self.before = {}

    def shell(self, script, given):
        self.before.get(len(self.ran), lambda: None)()
        done = subprocess.run(
            ["/bin/sh", "-c", script, "key-file"],
            input=given,
            capture_output=True,
            check=False,
        )
        self.ran.append((given, done.stdout + done.stderr))
        return Ran(
            done.returncode,
            "Welcome!\n" + done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def look(self, **options):
        return look(self.shell, self.name, str(self.path), **options)

    @property
    def beside(self):
        """What there is in the folder beside the key file."""
        return sorted(set(os.listdir(self.folder)) - {"keys"})


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path, "host1")


@pytest.fixture
def hosts(tmp_path):
    return [Host(tmp_path, f"host{number}") for number in (1, 2, 3)]
