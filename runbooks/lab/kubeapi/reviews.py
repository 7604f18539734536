"""Reviews: what ``kubectl auth can-i`` asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.kubeapi.rbac import is_allowed, rules_of
from runbooks.lab.kubeapi.request import RequestInfo

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.credentials import Identity
    from runbooks.lab.kubeapi.status import JsonObject
    from runbooks.lab.kubeapi.store import Store


def review_access(store: Store, identity: Identity, review: JsonObject) -> JsonObject:
    """Answer a SelfSubjectAccessReview.

    Args:
        store: Where roles and bindings are.
        identity: Who asks about itself.
        review: The review, with what is asked in its spec.

    Returns:
        The review with its status.
    """
    asked = (review.get("spec") or {}).get("resourceAttributes") or {}
    request = RequestInfo(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        version=asked.get("version", ""),
        plural=asked.get("resource", ""),
        namespace=asked.get("namespace") or None,
        name=asked.get("name", ""),
        subresource=asked.get("subresource", ""),
    )
    allowed = is_allowed(store, identity, request)
    return review | {"status": {"allowed": allowed}}


def review_rules(store: Store, identity: Identity, review: JsonObject) -> JsonObject:
    """Answer a SelfSubjectRulesReview: list all rights in a namespace."""
    namespace = (review.get("spec") or {}).get("namespace") or None
    rules = list(rules_of(store, identity, namespace))
    if identity.is_master:
        rules.append({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    return review | {
        "status": {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
    }


def review_self(identity: Identity, review: JsonObject) -> JsonObject:
    """Answer a SelfSubjectReview: ``kubectl auth whoami``."""
    user: JsonObject = {"username": identity.user, "groups": list(identity.groups)}
    if identity.uid:
        user["uid"] = identity.uid
    return review | {"status": {"userInfo": user}}


def review(
    store: Store, identity: Identity, plural: str, asked: JsonObject
) -> JsonObject:
    """Answer any review.

    Args:
        store: Where roles and bindings are.
        identity: Who asks about itself.
        plural: Which review, ``selfsubjectaccessreviews``.
        asked: The review as it came.
    """
    if plural == "selfsubjectaccessreviews":
        return review_access(store, identity, asked)
    if plural == "selfsubjectrulesreviews":
        return review_rules(store, identity, asked)
    return review_self(identity, asked)
