"""Bodies in protobuf: what ``kubectl create`` sends for the kinds it knows.

An envelope (``runtime.Unknown``) with the object in it. Field numbers are those
of the ``generated.proto`` files of ``k8s.io/api``; only what kubectl sends on
its own is known here. Answers are JSON in any case, which clients accept.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from runbooks.lab.kubeapi.status import JsonObject, bad_request, unsupported_media_type

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}

Reader: TypeAlias = Callable[[Any, Any], Any]
"""What a field is worth: from what it was before (repeated ones) and what came."""
Message: TypeAlias = Mapping[int, tuple[str, Reader]]


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire_type == _LENGTH:
            size, at = _varint(content, at)
        else:
            size = _FIXED_SIZES[wire_type]
        yield number, content[at : at + size]
        at += size


def _read(message: Message, content: bytes) -> JsonObject:
    obj: JsonObject = {}
    for number, raw in _fields(content):
        if number in message:
            name, reader = message[number]
            value = reader(obj.get(name), raw)
            # Go writes every plain string, also when nobody set it.
            if value not in ("", None, {}):
                obj[name] = value
    return obj


def _text(_: object, raw: bytes) -> str:
    return raw.decode()


def _texts(old: list[str] | None, raw: bytes) -> list[str]:
    return [*(old or ()), raw.decode()]


def _whole(_: object, raw: int) -> int:
    return raw


def _truth(_: object, raw: int) -> bool:
    return bool(raw)


def _nothing(_: object, __: object) -> None:
    return None


def _labels(old: dict[str, str] | None, raw: bytes) -> dict[str, str]:
    entry = dict(_fields(raw))
    key, value = (entry.get(number, b"") for number in (1, 2))
    assert isinstance(key, bytes)
    assert isinstance(value, bytes)
    return (old or {}) | {key.decode(): value.decode()}


def _blobs(old: dict[str, str] | None, raw: bytes) -> dict[str, str]:
    entry = dict(_fields(raw))
    key, value = (entry.get(number, b"") for number in (1, 2))
    assert isinstance(key, bytes)
    assert isinstance(value, bytes)
    return (old or {}) | {key.decode(): base64.b64encode(value).decode()}


def _one(message: Message) -> Reader:
    return lambda _, raw: _read(message, raw)


def _many(message: Message) -> Reader:
    return lambda old, raw: [*(old or ()), _read(message, raw)]


_METADATA: tuple[str, Reader] = (
    "metadata",
    _one(
        {
            1: ("name", _text),
            2: ("generateName", _text),
            3: ("namespace", _text),
            5: ("uid", _text),
            6: ("resourceVersion", _text),
            8: ("creationTimestamp", _nothing),
            11: ("labels", _labels),
            12: ("annotations", _labels),
        }
    ),
)
_RULES: tuple[str, Reader] = (
    "rules",
    _many(
        {
            1: ("verbs", _texts),
            2: ("apiGroups", _texts),
            3: ("resources", _texts),
            4: ("resourceNames", _texts),
            5: ("nonResourceURLs", _texts),
        }
    ),
)
_SUBJECT: Message = {
    1: ("kind", _text),
    2: ("apiGroup", _text),
    3: ("name", _text),
    4: ("namespace", _text),
}
_ROLE_REFERENCE: Message = {
    1: ("apiGroup", _text),
    2: ("kind", _text),
    3: ("name", _text),
}
_ROLE: Message = {1: _METADATA, 2: _RULES}
_BINDING: Message = {
    1: _METADATA,
    2: ("subjects", _many(_SUBJECT)),
    3: ("roleRef", _one(_ROLE_REFERENCE)),
}
_ACCESS: Message = {
    1: ("namespace", _text),
    2: ("verb", _text),
    3: ("group", _text),
    4: ("version", _text),
    5: ("resource", _text),
    6: ("subresource", _text),
    7: ("name", _text),
}
_TOKEN_SPEC: Message = {1: ("audiences", _texts), 4: ("expirationSeconds", _whole)}

_KINDS: dict[str, Message] = {
    "Namespace": {1: _METADATA},
    "Secret": {
        1: _METADATA,
        2: ("data", _blobs),
        3: ("type", _text),
        4: ("stringData", _labels),
        5: ("immutable", _truth),
    },
    "ConfigMap": {1: _METADATA, 2: ("data", _labels), 3: ("binaryData", _blobs)},
    "ServiceAccount": {1: _METADATA},
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "SelfSubjectAccessReview": {
        1: _METADATA,
        2: ("spec", _one({1: ("resourceAttributes", _one(_ACCESS))})),
    },
    "SelfSubjectRulesReview": {
        1: _METADATA,
        2: ("spec", _one({1: ("namespace", _text)})),
    },
    "SelfSubjectReview": {1: _METADATA},
    "TokenRequest": {1: _METADATA, 2: ("spec", _one(_TOKEN_SPEC))},
}
_ENVELOPE: Message = {
    1: ("type", _one({1: ("apiVersion", _text), 2: ("kind", _text)})),
    2: ("raw", lambda _, raw: raw),
}


def decode(content: bytes) -> JsonObject:
    """Read a body.

    Args:
        content: The body, with its envelope.

    Returns:
        The object, as JSON would have given it.

    Raises:
        StatusError: 400, it is not protobuf; 415, of a kind not known here.
    """
    if not content.startswith(_MAGIC):
        raise bad_request("the body of the request is not well formed")
    try:
        envelope = _read(_ENVELOPE, content[len(_MAGIC) :])
        kind: JsonObject = envelope.get("type", {})
        if kind.get("kind") not in _KINDS:
            raise unsupported_media_type(f"{MEDIA_TYPE} ({kind.get('kind')})")
        obj = _read(_KINDS[kind["kind"]], envelope.get("raw", b""))
    except (LookupError, ValueError, TypeError, AttributeError):
        raise bad_request("the body of the request is not well formed") from None
    return kind | obj
