"""What a request asks for: verb, resource and name, read from method and path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.status import method_not_allowed, no_such_path

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONE_NAME = re.compile(r"^metadata\.name==?(?P<name>[^,=!]+)$")
_TRUE = {"1", "t", "true"}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request for a resource, in the words of authorization.

    Attributes:
        verb: ``get``, ``list``, ``watch``, ``create``, ...
        group: API group.
        version: API version.
        plural: Resource, ``pods``.
        namespace: ``None`` at the cluster scope.
        name: Empty for the collection.
        subresource: ``status``, ``exec``; empty for the object itself.
    """

    verb: str
    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """``pods``, ``daemonsets.apps``: what the store calls it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def flag(query: Mapping[str, str], name: str) -> bool:
    """Read a boolean of a query, as Go and as Python write it."""
    return query.get(name, "").lower() in _TRUE


def _verb(method: str, query: Mapping[str, str], name: str) -> str:
    if method in {"GET", "HEAD"}:
        if flag(query, "watch"):
            return "watch"
        return "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch"}
    if method not in verbs:
        raise method_not_allowed()
    return verbs[method]


def parse(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """Read a request, as ``k8s.io/apiserver/pkg/endpoints/request`` does.

    Args:
        method: HTTP method.
        path: ``/api/v1/namespaces/kube-system/pods/x/exec``.
        query: Parameters; ``watch`` makes a list a watch.

    Raises:
        StatusError: 404, no path of a resource; 405, no method of one.
    """
    parts = path.strip("/").split("/")
    if len(parts) >= 3 and parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise no_such_path()
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and len(rest) >= 2:
        # A namespace's rights can be granted within it.
        namespace = rest[1]
    if len(rest) > 3:
        raise no_such_path()
    plural, name, subresource = (*rest, "", "")[:3]
    verb = _verb(method, query, name)
    if not name and (match := _ONE_NAME.match(query.get("fieldSelector", ""))):
        # So that rights on one name suffice to list or watch that one.
        name = match["name"]
    return RequestInfo(verb, group, version, plural, namespace, name, subresource)
