"""Fuzzes what reads other people's files; FUZZ_SECONDS for each target."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name, tmp_path):
    pytest.importorskip("atheris", reason="atheris has no build for this platform")

    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, str(SECONDS), str(tmp_path / name)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )

    found = sorted(tmp_path.glob(f"{name}-*"))
    assert done.returncode == 0, (
        f"keep {found} in tests/fuzz/findings/{name}\n{done.stderr[-3000:]}"
    )
    assert "stat::number_of_executed_units" in done.stderr
