"""Bodies in protobuf."""

import pytest

from runbooks.lab.kubeapi.protobuf import decode
from runbooks.lab.kubeapi.status import StatusError


def field(number, content):
    content = content.encode() if isinstance(content, str) else content
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def entry(key, value):
    return field(1, key) + field(2, value)


def body(kind, raw, api_version="v1"):
    envelope = field(1, field(1, api_version) + field(2, kind)) + field(2, raw)
    return b"k8s\x00" + envelope


def test_a_secret_is_read_as_json_would_give_it():
    meta = field(1, "s") + field(3, "") + field(8, b"") + field(11, entry("a", ""))
    raw = field(1, meta) + field(2, entry("keys", b"\x00\xff")) + field(3, "Opaque")
    assert decode(body("Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"a": ""}},
        "data": {"keys": "AP8="},
        "type": "Opaque",
    }


def test_repeated_fields_keep_empty_words():
    rule = field(1, "get") + field(1, "list") + field(2, "") + field(3, "pods")
    made = decode(body("Role", field(2, rule)))
    assert made["rules"] == [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}
    ]


def test_numbers_are_read():
    spec = field(1, "lab") + bytes([4 << 3]) + b"\x90\x1c"
    made = decode(body("TokenRequest", field(2, spec)))
    assert made["spec"] == {"audiences": ["lab"], "expirationSeconds": 3600}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00\x0a", 400),
        (b"k8s\x00\x0f\x01", 400),
        (body("Secret", field(1, field(1, b"\xff"))), 400),
        (body("Pod", b""), 415),
        (b"k8s\x00", 415),
    ],
)
def test_what_cannot_be_read_is_refused(content, code):
    with pytest.raises(StatusError) as caught:
        decode(content)
    assert caught.value.code == code
