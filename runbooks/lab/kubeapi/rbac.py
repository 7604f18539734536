"""Role-based access control: who may do what.

The rules are those of ``k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac``.
Members of ``system:masters`` may do everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.status import JsonObject, StatusError, forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbooks.lab.kubeapi.credentials import Identity
    from runbooks.lab.kubeapi.request import RequestInfo
    from runbooks.lab.kubeapi.store import Store

_GROUP = "rbac.authorization.k8s.io"
# What every authenticated user may ask about itself (system:basic-user).
_BASIC_USER: JsonObject = {
    "apiGroups": ["authorization.k8s.io", "authentication.k8s.io"],
    "resources": [
        "selfsubjectaccessreviews",
        "selfsubjectreviews",
        "selfsubjectrulesreviews",
    ],
    "verbs": ["create"],
}


def _is_subject(subject: JsonObject, identity: Identity) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "User":
        return name == identity.user
    if kind == "Group":
        return name in identity.groups
    account = f"system:serviceaccount:{subject.get('namespace')}:{name}"
    return kind == "ServiceAccount" and identity.user == account


def _covers(allowed: list[str] | None, asked: str) -> bool:
    return bool(allowed) and (asked in (allowed or ()) or "*" in (allowed or ()))


def _allows(rule: JsonObject, request: RequestInfo) -> bool:
    resource = request.plural
    if request.subresource:
        resource += f"/{request.subresource}"
    resources = rule.get("resources") or []
    names = rule.get("resourceNames")
    return (
        _covers(rule.get("verbs"), request.verb)
        and _covers(rule.get("apiGroups"), request.group)
        and (_covers(resources, resource) or f"*/{request.subresource}" in resources)
        and (not names or request.name in names)
    )


def rules_of(
    store: Store, identity: Identity, namespace: str | None
) -> Iterator[JsonObject]:
    """Yield every rule that is granted to somebody.

    Args:
        store: Where roles and bindings are.
        identity: To whom.
        namespace: In which namespace; ``None`` for the cluster scope.
    """
    yield _BASIC_USER
    bindings = store.list(f"clusterrolebindings.{_GROUP}")
    if namespace is not None:
        bindings += store.list(f"rolebindings.{_GROUP}", namespace)
    for binding in bindings:
        if not any(_is_subject(s, identity) for s in binding.get("subjects") or ()):
            continue
        role = binding["roleRef"]
        plural = "roles" if role["kind"] == "Role" else "clusterroles"
        within = namespace if role["kind"] == "Role" else None
        try:
            granted = store.get(f"{plural}.{_GROUP}", role["name"], within)
        except StatusError:
            continue
        yield from granted.get("rules") or ()


def is_allowed(store: Store, identity: Identity, request: RequestInfo) -> bool:
    """Tell whether somebody may do something."""
    if identity.is_master:
        return True
    rules = rules_of(store, identity, request.namespace)
    return any(_allows(rule, request) for rule in rules)


def check_access(store: Store, identity: Identity, request: RequestInfo) -> None:
    """Refuse what is not allowed.

    Raises:
        StatusError: 403, in the words of kube-apiserver.
    """
    if is_allowed(store, identity, request):
        return
    resource = request.plural
    if request.subresource:
        resource += f"/{request.subresource}"
    where = "at the cluster scope"
    if request.namespace is not None:
        where = f'in the namespace "{request.namespace}"'
    why = (
        f'User "{identity.user}" cannot {request.verb} resource "{resource}" in API '
        f'group "{request.group}" {where}'
    )
    raise forbidden(request.plural, request.group, request.name, why)
