"""The rights in ``playbooks/files/rbac.yml`` are enough, and none is spare."""

import copy
from pathlib import Path

import pytest
import yaml

from runbooks.lab.kubeapi import service_account
from runbooks.rotation import spread, steps
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.errors import RotationError
from runbooks.rotation.lock import Holder, Lock
from runbooks.rotation.objects import Target
from runbooks.rotation.session import Session
from runbooks.rotation.waiting import Pace

RBAC = Path(__file__).parents[2] / "playbooks" / "files" / "rbac.yml"
OBJECTS = list(yaml.safe_load_all(RBAC.read_text()))
ME = Holder("me@here:1", "elsewhere/pid:[1]/2/3")


def every_right():
    """Each verb of each rule, with the position from which it can be taken."""
    for at, thing in enumerate(OBJECTS):
        for rule_at, rule in enumerate(thing.get("rules", ())):
            # Reading through pods/exec is the playbooks' tests' part.
            if rule["resources"] == ["pods/exec"]:
                continue
            for verb in rule["verbs"]:
                name = f"{verb} {rule['resources'][0]} ({thing['metadata']['name']})"
                yield pytest.param(at, rule_at, verb, id=name)


@pytest.fixture
def granted(fleet, api, reader):
    """A session with the rights of an account of ``rbac.yml``."""

    def grant(account, objects=OBJECTS):
        for thing in objects:
            fleet.store.create(copy.deepcopy(thing))
        stored = fleet.store.get("serviceaccounts", account, "kube-system")
        uid = stored["metadata"]["uid"]
        path = api.token_kubeconfig(service_account("kube-system", account, uid))
        return Session(
            Cluster.connect(Target(kubeconfig=str(path))),
            reader,
            brief=Pace(2.0, 0.01),
        )

    return grant


def rotate(session):
    lock = Lock(session.cluster, ME, 0)
    before = steps.preflight(session)
    lock.acquire()
    steps.patch(session, before["key_id"], "me")
    spread.propagate(session, 4, 5, 0.01)
    lock.renew()
    spread.reclaim(session, 4, 5, 0.01)
    steps.finish(session)
    assert lock.release()


def test_rights_are_enough_to_rotate(granted):
    rotate(granted("ipsec-rotate"))


@pytest.mark.parametrize(("at", "rule_at", "verb"), list(every_right()))
def test_no_right_is_spare(granted, at, rule_at, verb):
    less = copy.deepcopy(OBJECTS)
    less[at]["rules"][rule_at]["verbs"].remove(verb)
    session = granted("ipsec-rotate", less)
    with pytest.raises(RotationError) as error:
        rotate(session)
    assert f"the right to {verb}" in str(error.value)


def test_account_of_the_check_may_not_see_the_key(granted):
    session = granted("ipsec-check")
    with pytest.raises(RotationError, match="lacks the right to get on secrets"):
        steps.preflight(session)
