"""Who may do what."""

import pytest

from runbooks.lab.kubeapi import Identity, StatusError, Store, service_account
from runbooks.lab.kubeapi.objects import namespace
from runbooks.lab.kubeapi.rbac import check_access, is_allowed
from runbooks.lab.kubeapi.request import parse

ALICE = Identity("alice", ("system:authenticated", "team"))
GROUP = "rbac.authorization.k8s.io"


def grant(store, rules, *, subject=None, where="a"):
    cluster_wide = where is None
    meta = {"name": "r"} | ({} if cluster_wide else {"namespace": where})
    prefix = "Cluster" if cluster_wide else ""
    store.create(
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": f"{prefix}Role",
            "metadata": meta,
            "rules": rules,
        }
    )
    store.create(
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": f"{prefix}RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": GROUP, "kind": f"{prefix}Role", "name": "r"},
            "subjects": [subject or {"kind": "User", "name": "alice"}],
        }
    )


def rule(verbs, resources, names=None, groups=("",)):
    made = {"apiGroups": list(groups), "resources": resources, "verbs": verbs}
    return made | ({"resourceNames": names} if names else {})


@pytest.fixture
def rights():
    store = Store()
    store.create(namespace("a"))
    store.create(namespace("b"))
    return store


def may(store, method, path, identity=ALICE, **query):
    return is_allowed(store, identity, parse(method, path, query))


def test_nothing_is_allowed_unless_granted(rights):
    assert not may(rights, "GET", "/api/v1/namespaces/a/pods")


def test_masters_may_do_everything(rights):
    root = Identity("root", ("system:masters",))
    assert may(rights, "DELETE", "/api/v1/nodes/x", root)


def test_a_role_counts_in_its_namespace(rights):
    grant(rights, [rule(["get"], ["pods"])])
    assert may(rights, "GET", "/api/v1/namespaces/a/pods/x")
    assert not may(rights, "GET", "/api/v1/namespaces/b/pods/x")
    assert not may(rights, "GET", "/api/v1/namespaces/a/pods")
    assert not may(rights, "GET", "/api/v1/namespaces/a/pods", watch="true")
    assert not may(rights, "DELETE", "/api/v1/namespaces/a/pods/x")


def test_a_cluster_role_counts_everywhere(rights):
    grant(rights, [rule(["list"], ["pods", "nodes"])], where=None)
    assert may(rights, "GET", "/api/v1/namespaces/b/pods")
    assert may(rights, "GET", "/api/v1/pods")
    assert may(rights, "GET", "/api/v1/nodes")


def test_names_restrict(rights):
    grant(rights, [rule(["get", "patch", "watch"], ["secrets"], ["one"])])
    path = "/api/v1/namespaces/a/secrets"
    assert may(rights, "PATCH", f"{path}/one")
    assert not may(rights, "PATCH", f"{path}/two")
    assert not may(rights, "GET", path, watch="true")
    assert may(rights, "GET", path, watch="true", fieldSelector="metadata.name=one")


def test_subresources_are_rights_of_their_own(rights):
    grant(rights, [rule(["get"], ["pods/exec"]), rule(["create"], ["pods"])])
    path = "/api/v1/namespaces/a/pods/x"
    assert may(rights, "GET", f"{path}/exec")
    assert not may(rights, "POST", f"{path}/exec")
    assert not may(rights, "GET", path)
    assert not may(rights, "GET", f"{path}/log")


def test_groups_of_the_api_are_told_apart(rights):
    grant(rights, [rule(["get"], ["leases"], groups=["coordination.k8s.io"])])
    assert may(rights, "GET", "/apis/coordination.k8s.io/v1/namespaces/a/leases/x")
    assert not may(rights, "GET", "/apis/apps/v1/namespaces/a/leases/x")


@pytest.mark.parametrize(
    ("subject", "identity"),
    [
        ({"kind": "Group", "name": "team"}, ALICE),
        (
            {"kind": "ServiceAccount", "name": "s", "namespace": "b"},
            service_account("b", "s"),
        ),
        (
            {"kind": "Group", "name": "system:serviceaccounts:b"},
            service_account("b", "s"),
        ),
    ],
)
def test_subjects_of_every_kind_are_known(rights, subject, identity):
    grant(rights, [rule(["*"], ["*"])], subject=subject)
    assert may(rights, "GET", "/api/v1/namespaces/a/pods", identity)
    other = Identity("bob", ("system:authenticated",))
    assert not may(rights, "GET", "/api/v1/namespaces/a/pods", other)


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        (
            "GET",
            "/api/v1/namespaces/kube-system/secrets/x",
            'secrets "x" is forbidden: User "alice" cannot get resource "secrets" in '
            'API group "" in the namespace "kube-system"',
        ),
        (
            "GET",
            "/apis/cilium.io/v2/ciliumnodes",
            'ciliumnodes.cilium.io is forbidden: User "alice" cannot list resource '
            '"ciliumnodes" in API group "cilium.io" at the cluster scope',
        ),
        (
            "POST",
            "/api/v1/namespaces/a/pods/x/exec",
            'pods "x" is forbidden: User "alice" cannot create resource "pods/exec" '
            'in API group "" in the namespace "a"',
        ),
    ],
)
def test_refusals_read_as_those_of_kubernetes(rights, method, path, sentence):
    with pytest.raises(StatusError) as caught:
        check_access(rights, ALICE, parse(method, path, {}))
    assert (caught.value.code, str(caught.value)) == (403, sentence)
