"""The patch formats of the Kubernetes API, as functions of two objects.

JSON merge patch is RFC 7386, JSON patch RFC 6902, strategic merge patch
``k8s.io/apimachinery/pkg/util/strategicpatch``.
"""

from __future__ import annotations

import copy
from enum import Enum
from typing import Any

import jsonpatch

from runbooks.lab.kubeapi.status import JsonObject, StatusError, bad_request


class PatchType(Enum):
    """The media type of a patch."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


# Lists that are merged item by item, and the field that tells items apart.
# Known by the name of the field alone: in the kinds that are served here no
# name has two meanings. Lists not named here are replaced whole.
_MERGE_KEYS = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_MERGED_PRIMITIVES = {"finalizers"}


def merge(target: object, patch: object) -> Any:
    """Apply a JSON merge patch (RFC 7386); neither argument is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _merge_list(
    current: list[Any], patch: list[Any], key: str, order: list[Any] | None
) -> list[Any]:
    if {"$patch": "replace"} in patch:
        return [item for item in patch if item != {"$patch": "replace"}]
    result = list(current)
    for item in patch:
        if key not in item:
            raise bad_request(f"map does not contain declared merge key: {key}")
        places = [n for n, old in enumerate(result) if old.get(key) == item[key]]
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif places:
            result[places[0]] = strategic(result[places[0]], item)
        else:
            result.append(strategic({}, item))
    if order:
        wanted = [item.get(key) for item in order]
        # Items that the order does not name stay in front, as they stood.
        result.sort(key=lambda it: wanted.index(it[key]) if it[key] in wanted else -1)
    return result


def _is_merged(key: str, value: object) -> bool:
    return (
        key in _MERGE_KEYS
        and isinstance(value, list)
        and all(isinstance(item, dict) for item in value)
    )


def _field(current: Any, name: str, value: Any, order: list[Any] | None) -> Any:
    if _is_merged(name, value):
        return _merge_list(current or [], value, _MERGE_KEYS[name], order)
    if name in _MERGED_PRIMITIVES:
        kept = list(current or [])
        return kept + [item for item in value if item not in kept]
    return strategic(current, value)


def strategic(target: object, patch: object) -> Any:
    """Apply a strategic merge patch; neither argument is changed.

    Raises:
        StatusError: 400, a list item lacks the field that tells items apart.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {k: copy.deepcopy(v) for k, v in patch.items() if k != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {k: v for k, v in result.items() if k in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            kept = result.get(name) or []
            result[name] = [item for item in kept if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        else:
            order = patch.get(f"$setElementOrder/{key}")
            result[key] = _field(result.get(key), key, value, order)
    return result


def _json_patch(target: JsonObject, patch: Any) -> JsonObject:
    if not isinstance(patch, list):
        raise bad_request("the patch is not a list of operations")
    try:
        result: JsonObject = jsonpatch.apply_patch(target, patch)
    # The library's own sentences hold values and documents: maybe a Secret's.
    except jsonpatch.JsonPatchTestFailed:
        raise _rejected("a test operation failed") from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        raise _rejected("an operation is not valid or its path missing") from None
    except (TypeError, AttributeError):
        raise _rejected("an item of the list is not an operation") from None
    return result


def _rejected(why: str) -> StatusError:
    return StatusError(
        422,
        "Invalid",
        f"the server rejected our request due to an error in our request: {why}",
    )


def apply_patch(target: JsonObject, patch: object, patch_type: PatchType) -> JsonObject:
    """Apply a patch of the given type to an object.

    Args:
        target: The object as it is; not changed.
        patch: A JSON object, or a list of operations for ``PatchType.JSON``.
        patch_type: How to read it.

    Returns:
        The patched object.

    Raises:
        StatusError: 400 or 422, the patch can't be applied.
    """
    if patch_type is PatchType.JSON:
        return _json_patch(target, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch is not an object")
    combine = merge if patch_type is PatchType.MERGE else strategic
    result: JsonObject = combine(target, patch)
    return result
