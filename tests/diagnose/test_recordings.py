"""What real nodes recorded, end to end."""

from pathlib import Path

import pytest

from runbooks.collect.archived_snapshot import read_archive
from runbooks.diagnose import diagnose

SNAPSHOTS = Path(__file__).parents[1] / "recordings" / "snapshots"


@pytest.mark.parametrize(
    ("phase", "verdict", "exit_code"),
    [("healthy", "healthy", 0), ("rotating", "rotating", 0), ("healed", "healthy", 0)],
)
def test_phases_without_a_broken_pair(phase, verdict, exit_code):
    diagnosis = diagnose(read_archive(SNAPSHOTS / phase))

    assert str(diagnosis.verdict) == verdict
    assert diagnosis.exit_code == exit_code
    assert diagnosis.alarming == ()
    assert diagnosis.incomplete == ()


def test_broken_phase_names_both_pairs_with_their_numbers():
    diagnosis = diagnose(read_archive(SNAPSHOTS / "broken"))

    assert str(diagnosis.verdict) == "stale"
    assert diagnosis.exit_code == 1
    assert {
        (
            f.source,
            f.destination,
            f.evidence["outbound_oseq"],
            f.evidence["inbound_seq"],
        )
        for f in diagnosis.findings
    } == {("n1", "n2", 20, 1520), ("n3", "n2", 10, 320)}
    assert {f.cause for f in diagnosis.findings} == {None}
