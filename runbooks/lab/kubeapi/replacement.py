"""What becomes of an object when another is written over it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.admission import check_shape
from runbooks.lab.kubeapi.status import StatusError, bad_request, conflict, invalid

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.resources import Resource
    from runbooks.lab.kubeapi.status import JsonObject

# Set by the server once; what a client sends in their place is not looked at.
_KEPT = ("uid", "creationTimestamp", "resourceVersion", "namespace")


def version_required(resource: Resource, name: str) -> StatusError:
    """Refuse an update that does not say which version it replaces."""
    why = "Invalid value: 0: must be specified for an update"
    field = "metadata.resourceVersion"
    return invalid(resource.kind, resource.group, name, field, why)


def _check_preconditions(resource: Resource, new: JsonObject, old: JsonObject) -> None:
    name = old["metadata"]["name"]
    meta, was = new.setdefault("metadata", {}), old["metadata"]
    version = meta.get("resourceVersion") or was["resourceVersion"]
    if version != was["resourceVersion"]:
        raise conflict(resource.plural, resource.group, name)
    uid = meta.get("uid") or was["uid"]
    if uid != was["uid"]:
        why = (
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
            f"{was['uid']}"
        )
        raise conflict(resource.plural, resource.group, name, why)
    for field in ("name", "namespace"):
        if meta.get(field, was.get(field)) != was.get(field):
            raise bad_request(
                f"the {field} of the object ({meta[field]}) does not match the "
                f"{field} on the URL ({was.get(field)})"
            )


def replacement(
    resource: Resource, old: JsonObject, new: JsonObject, subresource: str | None
) -> JsonObject:
    """Make the object that a write leaves behind.

    Args:
        resource: The resource.
        old: The object as it is stored; not changed.
        new: What a client wants; not changed.
        subresource: ``status`` if only the status is written.

    Returns:
        The object, with the same resourceVersion as before.

    Raises:
        StatusError: 400 or 409, the two are not one object in one version.
    """
    made = copy.deepcopy(check_shape(resource, new))
    made |= {"apiVersion": resource.api_version, "kind": resource.kind}
    _check_preconditions(resource, made, old)
    if subresource == "status":
        made = copy.deepcopy(old) | {"status": made.get("status", {})}
    elif resource.has_status:
        made.pop("status", None)
        if "status" in old:
            made["status"] = copy.deepcopy(old["status"])
    meta, was = made["metadata"], old["metadata"]
    meta.pop("managedFields", None)
    meta |= {field: was[field] for field in _KEPT if field in was}
    if resource.has_generation:
        changed = made.get("spec") != old.get("spec")
        meta["generation"] = was.get("generation", 1) + changed
    return made


def check_deletion(
    resource: Resource, stored: JsonObject, uid: str | None, version: str | None
) -> None:
    """Refuse to delete another object, or version, than was meant.

    Args:
        resource: The resource.
        stored: The object that would be deleted.
        uid: The uid that is meant, if it matters.
        version: The resourceVersion that is meant, if it matters.

    Raises:
        StatusError: 409.
    """
    meta = stored["metadata"]
    for what, wanted, actual in (
        ("UID", uid, meta["uid"]),
        ("ResourceVersion", version, meta["resourceVersion"]),
    ):
        if wanted and wanted != actual:
            why = (
                f"Precondition failed: {what} in precondition: {wanted}, {what} in "
                f"object meta: {actual}"
            )
            raise conflict(resource.plural, resource.group, meta["name"], why)
