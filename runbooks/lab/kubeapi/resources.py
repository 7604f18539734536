"""The resources that are served, and where their objects live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.status import JsonObject, no_such_path

if TYPE_CHECKING:
    from collections.abc import Iterator

VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """A column that ``kubectl get`` shows, read from the object by a path.

    Attributes:
        name: Title.
        path: JSONPath, ``.spec.addresses[?(@.type=="InternalIP")].ip``.
        kind: ``string``, ``integer``, ``date``, ...
        priority: 0 always, 1 with ``-o wide``.
    """

    name: str
    path: str
    kind: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource in one version.

    Attributes:
        group: API group, empty for the core group.
        version: ``v1``.
        plural: Name in paths.
        kind: ``kind`` of its objects.
        namespaced: Whether objects live in a namespace.
        short_names: What ``kubectl`` may call it.
        has_status: Whether ``status`` is a subresource of its own.
        has_generation: Whether ``metadata.generation`` counts changes of spec.
        needs_version: Whether an update must name a resourceVersion.
        strategic: Whether strategic merge patches are understood (not for
            custom resources, as in Kubernetes).
        verbs: What may be asked; reviews know ``create`` only.
        columns: Printer columns, of custom resources.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    has_status: bool = False
    has_generation: bool = False
    needs_version: bool = False
    strategic: bool = True
    verbs: tuple[str, ...] = VERBS
    columns: tuple[PrinterColumn, ...] = ()

    @property
    def api_version(self) -> str:
        """``apiVersion`` of the objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> str:
        """``pods``, ``daemonsets.apps``: what the store calls it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored(self) -> bool:
        """Whether there are objects of it; a review is answered and forgotten."""
        return "get" in self.verbs


_AUTHORIZATION = "authorization.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

BUILT_IN = (
    Resource("", "v1", "namespaces", "Namespace", False, ("ns",), has_status=True),
    Resource("", "v1", "nodes", "Node", False, ("no",), has_status=True),
    Resource(
        "", "v1", "pods", "Pod", True, ("po",), has_status=True, has_generation=True
    ),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "configmaps", "ConfigMap", True, ("cm",)),
    Resource("", "v1", "events", "Event", True, ("ev",)),
    Resource("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",)),
    Resource(
        "apps",
        "v1",
        "daemonsets",
        "DaemonSet",
        True,
        ("ds",),
        has_status=True,
        has_generation=True,
    ),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", needs_version=True),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        False,
        ("crd", "crds"),
        has_status=True,
        has_generation=True,
        needs_version=True,
    ),
    Resource(_RBAC, "v1", "roles", "Role"),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", False),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", False),
    Resource(
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "SelfSubjectReview",
        False,
        verbs=("create",),
    ),
    Resource(
        _AUTHORIZATION,
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        False,
        verbs=("create",),
    ),
    Resource(
        _AUTHORIZATION,
        "v1",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        False,
        verbs=("create",),
    ),
)


def custom_resource(definition: JsonObject) -> Resource:
    """Read from a CustomResourceDefinition what it makes the API serve.

    Args:
        definition: The object; its storage version is the one served.
    """
    spec = definition["spec"]
    names = spec["names"]
    version = next(v for v in spec["versions"] if v.get("storage"))
    columns = tuple(
        PrinterColumn(
            column["name"],
            column["jsonPath"],
            column.get("type", "string"),
            column.get("priority", 0),
        )
        for column in version.get("additionalPrinterColumns", ())
    )
    return Resource(
        spec["group"],
        version["name"],
        names["plural"],
        names["kind"],
        spec.get("scope") == "Namespaced",
        tuple(names.get("shortNames", ())),
        has_status="status" in version.get("subresources", {}),
        has_generation=True,
        needs_version=True,
        strategic=False,
        columns=columns,
    )


class Catalogue:
    """All resources that are served now: built in, and defined by CRDs."""

    def __init__(self) -> None:
        self._by_name = {resource.name: resource for resource in BUILT_IN}

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._by_name.values()))

    def named(self, name: str) -> Resource:
        """Find ``pods`` or ``daemonsets.apps``.

        Raises:
            StatusError: 404, it is not served.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise no_such_path() from None

    def at(self, group: str, version: str, plural: str) -> Resource:
        """Find by the parts of a path.

        Raises:
            StatusError: 404, it is not served.
        """
        resource = self.named(f"{plural}.{group}" if group else plural)
        if resource.version != version:
            raise no_such_path()
        return resource

    def of(self, api_version: str, kind: str) -> Resource:
        """Find the resource that an object belongs to.

        Raises:
            StatusError: 404, it is not served.
        """
        for resource in self:
            if resource.api_version == api_version and resource.kind == kind:
                return resource
        raise no_such_path()

    def serve(self, resource: Resource) -> None:
        """Begin to serve a custom resource, or serve it anew."""
        self._by_name[resource.name] = resource

    def withdraw(self, resource: Resource) -> None:
        """Stop serving a custom resource."""
        self._by_name.pop(resource.name, None)
