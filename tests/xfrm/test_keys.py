"""The keys in here are throwaways made up for these tests."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.xfrm.keys import (
    IpsecKey,
    KeyFormatError,
    derive_pair_key,
    next_key,
    parse_key,
)

HEX = "00112233445566778899aabbccddeeff01234567"
AUTH, ENC = "ab" * 32, "cd" * 16
BOOT_A, BOOT_B = "a" * 36, "b" * 36

MALFORMED = {
    "": "empty",
    "\n \n": "empty",
    f"3 rfc4106(gcm(aes)) {HEX} 128\n4 rfc4106(gcm(aes)) {HEX} 128": "2 lines",
    f"x3 rfc4106(gcm(aes)) {HEX} 128": "not a number",
    f"+ rfc4106(gcm(aes)) {HEX} 128": "not a number",
    f"0 rfc4106(gcm(aes)) {HEX} 128": "ID 0 is outside 1 to 15",
    f"16+ rfc4106(gcm(aes)) {HEX} 128": "ID 16 is outside 1 to 15",
    f"{'9' * 5000} rfc4106(gcm(aes)) {HEX} 128": "ID is outside 1 to 15",
    f"3 rfc4106(gcm(aes)) {HEX}": "too few",
    "3": "too few",
    f"3 hmac(sha256) {AUTH} cbc(aes) {ENC} 128": "too many",
    f"3 rfc4106(gcm(aes)) {HEX} 128 128": "names an AEAD but has five",
    f"3 gcm(aes) {HEX} 128": "begins with rfc",
    f"3 {HEX} rfc4106(gcm(aes)) 128": "does not look like a kernel algorithm",
    f"3 rfc4106(gcm(aes)) {HEX[:-1]}g 128": "not a hexadecimal digit",
    f"3 rfc4106(gcm(aes)) {HEX[:-1]} 128": "odd number",
    "3 rfc4106(gcm(aes)) 0x 128": "empty behind its 0x",
    f"3 rfc4106(gcm(aes)) {HEX} 64": "not 96, 128 or 256",
    f"3 rfc4106(gcm(aes)) {HEX} {HEX}": "not 96, 128 or 256",
    f"3 hmac(sha256) {AUTH} cbc(aes) {ENC}0": "encryption key has 33",
    f"3 hmac(sha256) {AUTH}0 cbc(aes) {ENC}": "authentication key has 65",
    f"3 hmac(sha256) cbc(aes) {AUTH} {ENC}": "authentication key holds something",
}


@pytest.mark.parametrize(("text", "problem"), MALFORMED.items())
def test_each_way_of_being_malformed_has_its_sentence(text, problem):
    with pytest.raises(KeyFormatError, match=problem) as refusal:
        parse_key(text)

    sentence = str(refusal.value)
    assert sentence.endswith(".")
    for secret in (HEX, AUTH, ENC):
        assert not any(secret[i : i + 6] in sentence for i in range(len(secret) - 6))


def test_there_are_at_least_eight_sentences():
    assert len(set(MALFORMED.values())) >= 8


def test_aead_line_is_read():
    key = parse_key(f"3+ rfc4106(gcm(aes)) {HEX} 128\n")

    assert key == IpsecKey(3, True, "rfc4106(gcm(aes))", bytes.fromhex(HEX), 128)
    assert key.key_bits == 160


def test_authentication_and_encryption_line_is_read():
    key = parse_key(f"15 hmac(sha256) 0x{AUTH} cbc(aes) 0x{ENC.upper()}")

    assert (key.key_id, key.per_tunnel, key.icv_bits) == (15, False, None)
    assert (key.algorithm, key.encryption_algorithm) == ("hmac(sha256)", "cbc(aes)")
    assert (key.key, key.encryption_key) == (bytes.fromhex(AUTH), bytes.fromhex(ENC))


@pytest.mark.parametrize(
    "line",
    [
        f"3+ rfc4106(gcm(aes)) {HEX} 128",
        f"1 rfc4106(gcm(aes)) {HEX} 96",
        f"15+ hmac(sha256) {AUTH} cbc(aes) {ENC}",
    ],
)
def test_line_is_written_as_it_was_read(line):
    assert parse_key(line).line() == line


@pytest.mark.parametrize(
    "line",
    [f"3+ rfc4106(gcm(aes)) {HEX} 128", f"3 hmac(sha256) {AUTH} cbc(aes) {ENC}"],
)
def test_printing_a_key_does_not_show_it(line):
    key = parse_key(line)

    for shown in (repr(key), str(key), f"{key}"):
        for secret in (key.key, key.encryption_key):
            assert not secret or secret.hex() not in shown
            assert not secret or repr(secret) not in shown


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["3+", "rfc4106(gcm(aes))", HEX, "128", "0x", "+", "hmac(sha256)"]
        )
    ).map(" ".join)
)
def test_any_text_is_a_key_or_a_key_format_error(text):
    try:
        key = parse_key(text)
    except KeyFormatError as refusal:
        sentence = str(refusal)
    else:
        assert 1 <= key.key_id <= 15
        sentence = repr(key)
    assert HEX not in sentence


def test_derived_key_of_a_long_key_uses_sha512():
    key = bytes(range(36))

    derived = derive_pair_key(key, "10.0.0.1", "10.0.0.2", BOOT_A, BOOT_B)

    packed = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    text = key + packed + (BOOT_A + BOOT_B).encode()
    assert derived == hashlib.sha512(text).digest()[:36]


def test_both_ends_derive_one_key_and_each_direction_its_own():
    key = bytes(20)

    there = derive_pair_key(key, "10.0.0.1", "10.0.0.2", BOOT_A, BOOT_B)
    back = derive_pair_key(key, "10.0.0.2", "10.0.0.1", BOOT_B, BOOT_A)

    assert there != back
    assert len(there) == len(back) == 20


@pytest.mark.parametrize(
    ("source", "destination"),
    [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")],
)
def test_reboot_of_either_side_changes_the_key(source, destination):
    def derive(*boot_ids):
        return derive_pair_key(bytes(20), source, destination, *boot_ids)

    assert len({derive(a, b) for a in (BOOT_A, BOOT_B) for b in (BOOT_A, BOOT_B)}) == 4


def test_boot_id_counts_with_its_first_36_characters():
    ends = bytes(20), "10.0.0.1", "10.0.0.2"

    assert derive_pair_key(*ends, BOOT_A, BOOT_B) == derive_pair_key(
        *ends, BOOT_A + "\n", BOOT_B + "x"
    )


@pytest.mark.parametrize(("old", "new"), [(1, 2), (14, 15), (15, 1)])
def test_next_id_is_one_more_and_1_follows_15(old, new):
    assert next_key(parse_key(f"{old}+ rfc4106(gcm(aes)) {HEX} 128")).key_id == new


def test_next_key_is_new_and_of_the_same_kind():
    old = parse_key(f"3 hmac(sha256) {AUTH} cbc(aes) {ENC}")

    new = next_key(old)

    assert (new.algorithm, new.encryption_algorithm) == ("hmac(sha256)", "cbc(aes)")
    assert (len(new.key), len(new.encryption_key)) == (32, 16)
    assert new.key != old.key
    assert new.encryption_key != old.encryption_key
    assert new.per_tunnel is False
    assert parse_key(new.line()) == new


@pytest.mark.parametrize("sign", ["", "+"])
@pytest.mark.parametrize(
    ("asked", "plus"), [(True, True), (False, False), (None, None)]
)
def test_next_key_keeps_or_sets_the_plus(sign, asked, plus):
    old = parse_key(f"3{sign} rfc4106(gcm(aes)) {HEX} 128")

    expected = (sign == "+") if plus is None else plus
    assert next_key(old, asked).per_tunnel is expected
