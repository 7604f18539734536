"""``python -m tests.fuzz TARGET SECONDS CORPUS``: guided by coverage, with atheris."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["runbooks"]):
    from tests.fuzz.targets import TARGETS, seeds


def main(name: str, seconds: str, corpus: str) -> None:
    """Fuzz one target."""
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (folder / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=6000", "-timeout=20"]
    options += ["-rss_limit_mb=2000", "-print_final_stats=1", "-verbosity=0"]
    options.append(f"-artifact_prefix={folder.parent}/{name}-")
    atheris.Setup([sys.argv[0], *options, str(folder)], TARGETS[name])
    atheris.Fuzz()


main(*sys.argv[1:])
