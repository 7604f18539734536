"""The archives that a page reads are those of the recordings, and hold no key."""

import re
import zipfile

import pytest

from tests.collect.archives import exit_code, sysdump_files
from tests.docs.make_sysdumps import ARCHIVES, FOLDER


def texts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize(("name", "phase"), ARCHIVES.items())
def test_archive_holds_what_the_recording_does(name, phase):
    # If not: python -m tests.docs.make_sysdumps
    assert texts(FOLDER / name) == sysdump_files(phase)


@pytest.mark.parametrize("name", ARCHIVES)
def test_archive_holds_keys_as_hashes_only(name):
    dumps = [t for n, t in texts(FOLDER / name).items() if n.endswith("xfrm-state.md")]
    algorithms = [
        line.split() for text in dumps for line in text.splitlines() if "aead" in line
    ]
    assert len(algorithms) >= 24
    assert all(re.fullmatch(r"\[hash:[0-9a-f]{64}\]", words[2]) for words in algorithms)


def test_archives_are_stale_before_the_rotation_and_healthy_after():
    assert [exit_code(FOLDER / name) for name in ARCHIVES] == [1, 0]
