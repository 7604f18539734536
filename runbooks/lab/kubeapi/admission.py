"""What the API fills in and refuses when an object is written."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.status import JsonObject, bad_request, invalid

if TYPE_CHECKING:
    from datetime import datetime

    from runbooks.lab.kubeapi.resources import Resource

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
# Names of RBAC objects are path segments: system:node, for example.
_PATH_SEGMENT = re.compile(r"^(?!\.{1,2}$)[^/%]+$")
# rand.String of k8s.io/apimachinery: no vowels, nothing that reads like another.
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def timestamp(moment: datetime) -> str:
    """Format as ``metav1.Time``: UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def generated_name(prefix: str) -> str:
    """Make a name from ``metadata.generateName``."""
    return prefix + "".join(secrets.choice(_NAME_ALPHABET) for _ in range(5))


def check_shape(resource: Resource, obj: object) -> JsonObject:
    """Refuse what is not an object of this resource.

    Args:
        resource: Where it is being written to.
        obj: What came.

    Returns:
        The object.

    Raises:
        StatusError: 400, it is something else.
    """
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata", {}), dict):
        raise bad_request("the body is not a Kubernetes object")
    got = (obj.get("apiVersion", resource.api_version), obj.get("kind", resource.kind))
    if got != (resource.api_version, resource.kind):
        raise bad_request(
            f"{got[1]} in version {got[0]!r} cannot be handled as a {resource.kind} "
            f"in version {resource.api_version!r}"
        )
    return obj


def check_name(resource: Resource, name: str) -> None:
    """Refuse a name that Kubernetes would refuse.

    Raises:
        StatusError: 422.
    """
    legal = _PATH_SEGMENT if resource.group.startswith("rbac.") else _SUBDOMAIN
    if not name:
        why = "Required value: name or generateName is required"
        raise invalid(resource.kind, resource.group, name, "metadata.name", why)
    if len(name) > 253 or not legal.match(name):
        why = (
            f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of '
            "lower case alphanumeric characters, '-' or '.', and must start and end "
            "with an alphanumeric character"
        )
        raise invalid(resource.kind, resource.group, name, "metadata.name", why)


def _settle_secret(obj: JsonObject) -> None:
    encoded = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in (obj.pop("stringData", None) or {}).items()
    }
    if encoded or obj.get("data"):
        obj["data"] = (obj.get("data") or {}) | encoded
    for value in (obj.get("data") or {}).values():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise bad_request(
                'Secret in version "v1" cannot be handled as a Secret: illegal '
                "base64 data"
            ) from None
    obj.setdefault("type", "Opaque")


def _settle_config_map(obj: JsonObject) -> None:
    for key, value in (obj.get("data") or {}).items():
        if not isinstance(value, str):
            raise bad_request(
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: '
                f"data.{key}: not a string"
            )


def _settle_namespace(obj: JsonObject) -> None:
    meta = obj["metadata"]
    labels = meta.setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = meta["name"]
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")


def _settle_pod(obj: JsonObject) -> None:
    containers = (obj.get("spec") or {}).get("containers")
    if not containers:
        name = obj["metadata"]["name"]
        raise invalid("Pod", "", name, "spec.containers", "Required value")
    obj["spec"].setdefault("restartPolicy", "Always")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _settle_daemon_set(obj: JsonObject) -> None:
    spec = obj.get("spec") or {}
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = spec.get("template", {}).get("metadata", {}).get("labels") or {}
    if not selected or not selected.items() <= labels.items():
        raise invalid(
            "DaemonSet",
            "apps",
            obj["metadata"]["name"],
            "spec.template.metadata.labels",
            "Invalid value: `selector` does not match template `labels`",
        )
    spec.setdefault("updateStrategy", {"type": "RollingUpdate"})


def _settle_definition(obj: JsonObject) -> None:
    spec = obj.get("spec") or {}
    name = obj["metadata"]["name"]
    names = spec.get("names") or {}
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if name != wanted:
        why = f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'
        raise invalid(obj["kind"], "apiextensions.k8s.io", name, "metadata.name", why)
    stored = [v["name"] for v in spec.get("versions") or () if v.get("storage")]
    if len(stored) != 1:
        why = "Invalid value: must have exactly one version marked as storage version"
        raise invalid(obj["kind"], "apiextensions.k8s.io", name, "spec.versions", why)
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", names["kind"] + "List")
    obj["status"] = {
        "acceptedNames": names,
        "storedVersions": stored,
        "conditions": [
            {
                "type": "NamesAccepted",
                "status": "True",
                "reason": "NoConflicts",
                "message": "no conflicts found",
            },
            {
                "type": "Established",
                "status": "True",
                "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted",
            },
        ],
    }


_SETTLE = {
    "configmaps": _settle_config_map,
    "customresourcedefinitions.apiextensions.k8s.io": _settle_definition,
    "daemonsets.apps": _settle_daemon_set,
    "namespaces": _settle_namespace,
    "pods": _settle_pod,
    "secrets": _settle_secret,
}


def settle(resource: Resource, obj: JsonObject) -> None:
    """Fill in defaults and refuse what is wrong, in place.

    Args:
        resource: The resource.
        obj: The object, with its name settled; changed.

    Raises:
        StatusError: 400 or 422, the object is wrong.
    """
    if kind := _SETTLE.get(resource.name):
        kind(obj)
