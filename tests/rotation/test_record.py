import pytest

from runbooks.rotation.record import RotationRecord, read_record, unfinished

RECORD = RotationRecord("20260101T000000Z-a1b2c3", 15, 1, "2026-01-01T00:00:00Z", "me")


def annotations(record):
    return {key: value for key, value in record.annotations().items() if value}


def test_record_survives_the_secret():
    assert read_record(annotations(RECORD)) == RECORD


@pytest.mark.parametrize("lost", list(annotations(RECORD)))
def test_incomplete_record_never_raises(lost):
    kept = {key: value for key, value in annotations(RECORD).items() if key != lost}
    found = read_record(kept)
    assert found is None or found.started_by == "unknown"


def test_new_record_removes_the_end_of_the_one_before():
    assert RECORD.annotations()["ipsec-runbooks.io/rotation-finished-at"] is None


def test_key_changed_by_other_means_voids_the_record():
    assert unfinished(RECORD, 1) == RECORD
    assert unfinished(RECORD, 2) is None
