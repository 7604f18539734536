import base64

import pytest

from runbooks.lab.kubeapi import Fault
from runbooks.rotation import patch
from runbooks.rotation.errors import RefusedError
from runbooks.rotation.record import PREFIX
from runbooks.rotation.waiting import Pace
from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import KEY_HEX, key_line

PACE = Pace(limit_s=5.0, interval_s=0.01)


@pytest.fixture
def cluster(api):
    return api.connect()


def draw(cluster, expected_key_id=3, **options):
    return patch.draw_and_patch(cluster, expected_key_id, "me", PACE, **options)


def test_next_key_keeps_algorithm_length_and_plus(fleet, cluster):
    record = draw(cluster)
    before, after = parse_key(key_line(3)), parse_key(fleet.secret_line)
    assert (record.from_key_id, record.to_key_id, after.key_id) == (3, 4, 4)
    assert (after.algorithm, after.icv_bits, after.per_tunnel) == (
        before.algorithm,
        before.icv_bits,
        True,
    )
    assert len(after.key) == len(before.key)
    assert after.key != before.key


def test_one_follows_fifteen(fleet, cluster):
    fleet.write_secret(key_line(15))
    assert draw(cluster, 15).to_key_id == 1
    assert fleet.secret_line.startswith("1+ ")


def test_plus_stays_away_unless_asked_for(fleet, cluster):
    fleet.write_secret(key_line(3, plus=""))
    draw(cluster)
    assert fleet.secret_line.startswith("4 ")


def test_plus_is_set_where_asked_for(fleet, cluster):
    fleet.write_secret(key_line(3, plus=""))
    draw(cluster, per_tunnel=True)
    assert fleet.secret_line.startswith("4+ ")


def test_two_algorithm_format_is_rotated_too(fleet, cluster):
    fleet.write_secret(f"3+ hmac(sha256) {'ab' * 32} cbc(aes) {'cd' * 16}\n")
    draw(cluster)
    after = parse_key(fleet.secret_line)
    assert after.key_id == 4
    assert (len(after.key), len(after.encryption_key)) == (32, 16)


def test_record_comes_with_the_key_and_holds_no_key(fleet, cluster):
    record = draw(cluster)
    annotations = fleet.secret["metadata"]["annotations"]
    assert annotations[PREFIX + "id"] == record.rotation_id
    new = parse_key(fleet.secret_line).key
    assert KEY_HEX not in str(annotations)
    assert new.hex() not in str(annotations)


def test_interrupted_rotation_draws_no_second_key(fleet, cluster):
    first = draw(cluster)
    line = fleet.secret_line
    assert draw(cluster) == first
    assert fleet.secret_line == line


def test_finished_rotation_lets_the_next_one_start(cluster):
    first = patch.finish(cluster, draw(cluster), PACE)
    assert first.finished_at
    assert draw(cluster, 4).to_key_id == 5


@pytest.mark.parametrize(
    "fault", [{"drop": True}, {"page": True}, {"status": 500}, {"status": 503}], ids=str
)
@pytest.mark.parametrize("after", [False, True])
def test_lost_answer_never_leads_to_two_keys(fleet, cluster, fault, after):
    struck = fleet.faults.add(
        Fault(verb="patch", resource="secrets", times=1, after=after, **fault)
    )
    record = draw(cluster)
    assert struck.seen == 1
    assert record.to_key_id == parse_key(fleet.secret_line).key_id == 4


def test_overloaded_server_is_given_its_time(fleet, cluster):
    fleet.faults.add(
        Fault(verb="patch", resource="secrets", status=429, retry_after_s=0, times=2)
    )
    assert draw(cluster).to_key_id == 4


def test_conflict_over_something_else_is_decided_anew(fleet, cluster):
    fleet.faults.add(Fault(verb="patch", resource="secrets", status=409, times=1))
    assert draw(cluster).to_key_id == 4


def test_second_conflict_ends_it(fleet, cluster):
    fleet.faults.add(Fault(verb="patch", resource="secrets", status=409))
    with pytest.raises(RefusedError, match="being changed by someone else"):
        draw(cluster)
    assert fleet.secret_line == key_line(3)


def test_key_changed_since_the_preflight_is_left_alone(fleet, cluster):
    fleet.write_secret(key_line(7))
    with pytest.raises(RefusedError, match="went from 3 to 7"):
        draw(cluster)
    assert fleet.secret_line == key_line(7)


class ChangedInBetween:
    """A cluster in which someone else writes the Secret just before the patch."""

    def __init__(self, cluster, fleet, line):
        self._cluster, self._fleet, self._line = cluster, fleet, line
        self.target = cluster.target
        self.key_secret = cluster.key_secret

    def patch_key_secret(self, *arguments):
        self._fleet.write_secret(self._line)
        self._cluster.patch_key_secret(*arguments)


def test_key_changed_between_read_and_patch_is_left_alone(fleet, cluster):
    theirs = key_line(4).replace(KEY_HEX[:4], "beef")
    with pytest.raises(RefusedError, match="went from 3 to 4"):
        draw(ChangedInBetween(cluster, fleet, theirs))
    assert fleet.secret_line == theirs


def test_key_changed_under_the_same_id_is_left_alone(fleet, cluster):
    theirs = key_line(3).replace(KEY_HEX[:4], "beef")
    with pytest.raises(RefusedError, match=r"changed under the same ID \(3\)"):
        draw(ChangedInBetween(cluster, fleet, theirs))
    assert fleet.secret_line == theirs


def test_missing_secret_has_its_sentence(fleet, cluster):
    fleet.store.delete("secrets", "cilium-ipsec-keys", "kube-system")
    with pytest.raises(
        RefusedError, match="Secret kube-system/cilium-ipsec-keys is missing"
    ):
        patch.read_key(cluster, PACE)


MALFORMED = {
    "": "empty",
    key_line(3) + key_line(4): "2 lines",
    "3+ rfc4106(gcm(aes))": "too few",
    f"x+ rfc4106(gcm(aes)) {KEY_HEX} 128": "not a number",
    f"16+ rfc4106(gcm(aes)) {KEY_HEX} 128": "outside 1 to 15",
    f"3+ rfc4106(gcm(aes)) {KEY_HEX}z 128": "hexadecimal",
    f"3+ rfc4106(gcm(aes)) {KEY_HEX}0 128": "odd number",
    f"3+ rfc4106(gcm(aes)) {KEY_HEX} 127": "ICV length",
    f"3+ cbc(aes) {KEY_HEX} 128": "not the name of an AEAD",
}


@pytest.mark.parametrize(("line", "said"), MALFORMED.items(), ids=MALFORMED.values())
def test_each_malformed_secret_has_its_sentence(fleet, cluster, line, said):
    fleet.write_secret(line)
    with pytest.raises(RefusedError, match=said) as error:
        patch.read_key(cluster, PACE)
    assert "Secret kube-system/cilium-ipsec-keys" in str(error.value)
    assert KEY_HEX not in str(error.value)


def test_secret_without_the_field_has_its_sentence(fleet, cluster):
    changed = fleet.secret
    changed["data"] = {"other": base64.b64encode(b"x").decode()}
    fleet.store.update(changed)
    with pytest.raises(RefusedError, match="has no field 'keys'"):
        patch.read_key(cluster, PACE)


def test_bytes_that_are_no_text_have_their_sentence(fleet, cluster):
    changed = fleet.secret
    changed["data"] = {"keys": base64.b64encode(b"\xff\xfe").decode()}
    fleet.store.update(changed)
    with pytest.raises(RefusedError, match="not text"):
        patch.read_key(cluster, PACE)
