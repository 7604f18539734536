from dataclasses import replace

import pytest

from runbooks.rotation.key_files.judge import judge, misplaced, too_slow
from runbooks.rotation.key_files.node import KeyFile
from runbooks.rotation.record import RotationRecord

RECORD = RotationRecord("20260101T000000Z-a1b2c3", 3, 4, "2026-01-01T00:00:00Z", "me")
BOOT_IDS = {"node1": "boot1", "node2": "boot2", "node3": "boot3"}


def seen(number, key_id=3, content="aaaa"):
    return KeyFile(
        f"host{number}",
        "/etc/ipsec/keys",
        boot_id=f"boot{number}",
        lines=(f"{key_id}+ rfc4106(gcm(aes)) {40 * '0'} 128",),
        sha256=f"{content}{key_id}",
        key_sha256=f"{content}{key_id}",
        owner="0:0",
        mode="600",
        took_s=1.0,
    )


def all_seen(*key_ids):
    return [seen(number, key_id) for number, key_id in enumerate(key_ids, 1)]


def test_equal_files_are_fit_for_a_rotation():
    found = judge(all_seen(3, 3, 3), None)
    assert (found.key_id, found.reasons, found.missing) == (3, (), ())
    assert found.algorithm == "rfc4106(gcm(aes))"


def test_record_whose_key_no_node_has_tells_of_nothing():
    assert judge(all_seen(3, 3, 3), RECORD).unfinished is None


def test_interrupted_rotation_is_found_and_so_is_who_lacks_its_key():
    found = judge(all_seen(4, 3, 3), RECORD)
    assert (found.unfinished, found.key_id) == (RECORD, 4)
    assert found.missing == ("host2", "host3")


def test_rotation_whose_key_all_have_is_unfinished_until_it_is_marked():
    assert judge(all_seen(4, 4, 4), RECORD).unfinished == RECORD
    over = replace(RECORD, finished_at="2026-01-01T00:06:00Z")
    found = judge(all_seen(4, 4, 4), over)
    assert (found.unfinished, found.key_id) == (None, 4)


@pytest.mark.parametrize(
    "record",
    [None, replace(RECORD, to_key_id=5), replace(RECORD, finished_at="2026-01-01")],
)
def test_different_ids_without_a_rotation_of_ours_are_refused(record):
    (reason,) = judge(all_seen(4, 3, 3), record).reasons
    assert "different key IDs (host1: 4, host2: 3, host3: 3)" in reason


def test_third_id_is_refused_in_an_interrupted_rotation():
    assert judge(all_seen(4, 3, 9), RECORD).reasons


@pytest.mark.parametrize("record", [None, RECORD])
def test_different_keys_under_one_id_are_refused(record):
    files = [seen(1, 4), seen(2, 3), seen(3, 3, "bbbb"), seen(4, 3)]
    (reason,) = judge(files if record else files[1:], record).reasons
    assert "different keys under the same ID (ID 3: host3 unlike the rest)" in reason


def test_no_host_at_all_is_refused():
    (reason,) = judge([], None).reasons
    assert "No host of the inventory matches rotation_key_hosts" in reason


def test_every_host_with_a_problem_is_named():
    gone = [replace(seen(n), problem="no route to host") for n in (1, 3)]
    reasons = judge([gone[0], seen(2), gone[1]], None).reasons
    assert reasons == ("Host host1: no route to host.", "Host host3: no route to host.")


def test_hosts_are_matched_to_nodes_by_boot_id():
    assert misplaced(all_seen(3, 3, 3), BOOT_IDS) == ()


def test_each_host_that_is_out_of_place_is_named():
    files = [seen(1), replace(seen(1), host="again"), seen(2), seen(9)]
    strange, twice, uncovered = misplaced(files, BOOT_IDS)
    assert strange.startswith("Host host9 is no node of this cluster")
    assert twice.startswith("Hosts host1 and again are the same node, node1.")
    assert uncovered.startswith("No host of rotation_key_hosts stands for node node3")


def test_nothing_is_said_of_places_while_somebody_could_not_be_asked():
    files = [seen(1), replace(seen(2), boot_id="", problem="no route to host")]
    assert misplaced(files, BOOT_IDS) == ()
    assert misplaced(all_seen(3, 3), BOOT_IDS | {"node3": None}) == ()


def test_writing_has_to_fit_into_the_rotation_duration():
    files = all_seen(3, 3, 3)
    assert too_slow(files, 6.0) == ()
    (reason,) = too_slow(files, 5.0)
    assert "took 3 s" in reason
    assert "after 5 s" in reason
