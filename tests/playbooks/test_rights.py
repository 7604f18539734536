"""What an account lacks is named by verb and resource."""

import pytest

from runbooks.rotation.errors import RotationError
from runbooks.rotation.objects import Target
from runbooks.rotation.reader import KernelReader
from runbooks.xfrm.keys import parse_key

ROLES = "roles.rbac.authorization.k8s.io"


@pytest.fixture
def take(fleet):
    """Takes one verb on one resource away from the roles of ``files/rbac.yml``."""

    def take(verb, resource):
        for name in ("ipsec-check", "ipsec-rotate"):
            role = fleet.store.get(ROLES, name, "kube-system")
            for rule in role["rules"]:
                if rule["resources"] == [resource]:
                    rule["verbs"].remove(verb)
            fleet.store.update(role)

    return take


@pytest.mark.parametrize("account", ["ipsec-check", "ipsec-rotate"])
@pytest.mark.parametrize("verb", ["get", "create"])
def test_both_verbs_are_needed_to_read_the_nodes(playbooks, take, account, verb):
    playbooks.act_as(account)
    reader = KernelReader(Target(kubeconfig=playbooks.environment["KUBECONFIG"]), 0.01)
    assert all(node.states for node in reader.states().nodes.values())
    take(verb, "pods/exec")
    with pytest.raises(RotationError) as error:
        reader.states()
    assert f"no right to {verb} on pods/exec in namespace kube-system" in str(
        error.value
    )
    assert "playbooks/files/rbac.yml grants it" in str(error.value)


def test_check_that_may_not_enter_the_agents_names_the_right(playbooks, take):
    take("create", "pods/exec")
    playbooks.act_as("ipsec-check")
    run = playbooks.run("check-ipsec.yml")
    assert run.status == 2, run.out
    assert "no right to create on pods/exec in namespace kube-system" in run.out


@pytest.mark.parametrize(
    ("verb", "resource"), [("get", "pods/exec"), ("get", "configmaps")]
)
def test_rotation_that_lacks_a_right_names_it(playbooks, fleet, take, verb, resource):
    take(verb, resource)
    run = playbooks.rotate()
    assert run.status == 2, run.out
    assert f"right to {verb} on {resource}" in run.out
    assert parse_key(fleet.secret_line).key_id == 3
