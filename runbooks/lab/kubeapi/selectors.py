"""Label and field selectors, as ``list`` and ``watch`` take them.

Grammar: ``k8s.io/apimachinery/pkg/labels`` (equality and set based) and
``pkg/fields`` (equality only).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from runbooks.lab.kubeapi.status import JsonObject, StatusError, bad_request

Selector: TypeAlias = Callable[[JsonObject], bool]
"""Whether an object is selected."""

_SET = re.compile(r"^(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^!=\s]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^!=\s]*)$")
_EXISTS = re.compile(r"^(?P<absent>!?)\s*(?P<key>[\w./-]+)$")
# A comma inside the parentheses of a set does not end a requirement.
_COMMA = re.compile(r",(?![^(]*\))")
_FIELDS = re.compile(
    r"^(metadata\.(name|namespace)|(spec|status)(\.\w+)+|type|reason)$"
)


def _unparsable(selector: str) -> StatusError:
    return bad_request(f"unable to parse requirement: {selector!r}")


def _label_requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _SET.match(text):
        key = match["key"]
        values = {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUALITY.match(text):
        key, value = match["key"], match["value"]
        if match["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.match(text):
        key = match["key"]
        absent = bool(match["absent"])
        return lambda labels: (key in labels) is not absent
    raise _unparsable(text)


def label_selector(text: str) -> Selector:
    """Read ``k8s-app=cilium,env in (a, b),!old``; empty selects everything.

    Raises:
        StatusError: 400, it can't be parsed.
    """
    requirements = [
        _label_requirement(part.strip()) for part in _COMMA.split(text) if part.strip()
    ]

    def selects(obj: JsonObject) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(holds(labels) for holds in requirements)

    return selects


def _field(obj: JsonObject, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def field_selector(text: str) -> Selector:
    """Read ``spec.nodeName=node1,status.phase!=Failed``; empty selects all.

    Raises:
        StatusError: 400, it can't be parsed, or the field can't be selected on.
    """
    requirements: list[tuple[str, bool, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _EQUALITY.match(part)
        if match is None:
            raise _unparsable(part)
        if not _FIELDS.match(match["key"]):
            raise bad_request(f"field label not supported: {match['key']}")
        requirements.append((match["key"], match["op"] != "!=", match["value"]))

    def selects(obj: JsonObject) -> bool:
        return all(
            (_field(obj, path) == value) is equal for path, equal, value in requirements
        )

    return selects


def both(labels: str, fields: str) -> Selector:
    """Join a label and a field selector."""
    by_label, by_field = label_selector(labels), field_selector(fields)
    return lambda obj: by_label(obj) and by_field(obj)
