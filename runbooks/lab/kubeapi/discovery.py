"""What the API says it serves: ``/api``, ``/apis``, ``/version``, OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.status import JsonObject, no_such_path

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.resources import Catalogue, Resource

VERSION: JsonObject = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}

# Subresources beside status: name, kind, group and version of the kind, verbs.
_SUBRESOURCES: dict[str, tuple[tuple[str, JsonObject], ...]] = {
    "pods": (
        ("exec", {"kind": "PodExecOptions", "verbs": ["create", "get"]}),
        ("log", {"kind": "Pod", "verbs": ["get"]}),
    ),
    "serviceaccounts": (
        (
            "token",
            {
                "kind": "TokenRequest",
                "group": "authentication.k8s.io",
                "version": "v1",
                "verbs": ["create"],
            },
        ),
    ),
}


def api_versions() -> JsonObject:
    """Answer ``/api``."""
    return {"kind": "APIVersions", "versions": ["v1"]}


def _group(name: str, version: str) -> JsonObject:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def api_groups(catalogue: Catalogue) -> JsonObject:
    """Answer ``/apis``."""
    groups = {r.group: r.version for r in catalogue if r.group}
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, version) for name, version in groups.items()],
    }


def api_group(catalogue: Catalogue, name: str) -> JsonObject:
    """Answer ``/apis/<group>``.

    Raises:
        StatusError: 404, there is no such group.
    """
    for resource in catalogue:
        if name and resource.group == name:
            group = _group(name, resource.version)
            return {"kind": "APIGroup", "apiVersion": "v1"} | group
    raise no_such_path()


def _entries(resource: Resource) -> list[JsonObject]:
    main: JsonObject = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    subresources = list(_SUBRESOURCES.get(resource.name, ()))
    if resource.has_status:
        verbs = ["get", "patch", "update"]
        subresources.append(("status", {"kind": resource.kind, "verbs": verbs}))
    return [main] + [
        {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
        }
        | entry
        for name, entry in subresources
    ]


def api_resources(catalogue: Catalogue, group: str, version: str) -> JsonObject:
    """Answer ``/api/v1`` and ``/apis/<group>/<version>``.

    Raises:
        StatusError: 404, nothing is served there.
    """
    served = [r for r in catalogue if (r.group, r.version) == (group, version)]
    if not served:
        raise no_such_path()
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": served[0].api_version,
        "resources": [entry for resource in served for entry in _entries(resource)],
    }


def _root(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else "api/v1"


def openapi_index(catalogue: Catalogue) -> JsonObject:
    """Answer ``/openapi/v3``."""
    roots = {_root(resource) for resource in catalogue}
    return {
        "paths": {
            root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in sorted(roots)
        }
    }


def openapi(catalogue: Catalogue, root: str) -> JsonObject:
    """Answer ``/openapi/v3/<root>``: paths, without schemas.

    ``kubectl apply`` looks here whether the server validates fields itself (it
    then does not try to), and takes the schemas that it was built with.

    Raises:
        StatusError: 404, nothing is served there.
    """
    paths: JsonObject = {}
    for resource in catalogue:
        if _root(resource) != root:
            continue
        within = "namespaces/{namespace}/" if resource.namespaced else ""
        paths[f"/{root}/{within}{resource.plural}/{{name}}"] = {
            "patch": {
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "string"}}
                    for name in ("dryRun", "fieldManager", "fieldValidation")
                ],
                "requestBody": {"content": {"application/merge-patch+json": {}}},
                "responses": {},
                "x-kubernetes-group-version-kind": {
                    "group": resource.group,
                    "version": resource.version,
                    "kind": resource.kind,
                },
            }
        }
    if not paths:
        raise no_such_path()
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths}


def document(catalogue: Catalogue, path: str) -> JsonObject | None:
    """Answer a path that describes the API.

    Returns:
        The document; ``None`` if the path is one of resources.

    Raises:
        StatusError: 404, it is neither.
    """
    match path.strip("/").split("/"):
        case ["version"]:
            found = VERSION
        case ["api"]:
            found = api_versions()
        case ["api", version]:
            found = api_resources(catalogue, "", version)
        case ["apis"]:
            found = api_groups(catalogue)
        case ["apis", group]:
            found = api_group(catalogue, group)
        case ["apis", group, version]:
            found = api_resources(catalogue, group, version)
        case ["openapi", "v3"]:
            found = openapi_index(catalogue)
        case ["openapi", "v3", *root]:
            found = openapi(catalogue, "/".join(root))
        case ["api" | "apis", *_]:
            return None
        case _:
            raise no_such_path()
    return found
