import pytest

from runbooks.rotation.known_bugs import (
    KNOWN_BUGS,
    bugs_to_refuse,
    bugs_to_tell,
    known_affected,
)

NAMES = [bug.name for bug in KNOWN_BUGS]


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("1.18.0-dev", True),
        ("v1.17.0", True),
        ("quay.io:5000/cilium/cilium:v1.16.0@sha256:ab12", True),
        ("1.18.0", None),
        ("1.17.9", None),
        ("1.19.0", None),
        ("1.20.0-rc.1", None),
        ("latest", None),
        ("", None),
    ],
)
def test_only_what_is_certain_counts_as_affected(version, affected):
    assert known_affected(version) is affected


def test_large_affected_cluster_is_refused_with_number_advice_and_name():
    reasons = list(bugs_to_refuse("1.17.0", 1000, ()))
    assert len(reasons) == len(NAMES)
    assert "cilium/cilium #44335" in reasons[0]
    assert "1000 nodes" in reasons[0]
    assert "rotation_accept_known_bugs: [cilium-44335]" in reasons[0]


def test_bug_is_accepted_by_its_own_name_only():
    (left,) = bugs_to_refuse("1.17.0", 1000, ["cilium-44335"])
    assert "#42721" in left
    assert not list(bugs_to_refuse("1.17.0", 1000, NAMES))


@pytest.mark.parametrize(("version", "nodes"), [("1.17.0", 3), ("1.18.2", 1000)])
def test_small_or_uncertain_cluster_is_told_and_not_refused(version, nodes):
    assert not list(bugs_to_refuse(version, nodes, ()))
    assert any("#44335" in line for line in bugs_to_tell(version, nodes, ()))


def test_uncertain_version_says_that_it_is_not_known():
    (line,) = bugs_to_tell("1.19.1", 3, ())
    assert line.startswith("Whether agents 1.19.1 have the fix of cilium/cilium #44335")


def test_accepted_bug_is_not_told_again():
    assert not list(bugs_to_tell("1.17.0", 3, NAMES))
