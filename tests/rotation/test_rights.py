"""The rights in ``playbooks/files/rbac.yml`` are enough, and none is spare."""

import copy

import pytest

from runbooks.rotation import spread, steps
from runbooks.rotation.errors import RotationError
from runbooks.rotation.lock import Holder, Lock
from tests.rotation.conftest import RIGHTS

ME = Holder("me@here:1", "elsewhere/pid:[1]/2/3")


def every_right():
    """Each verb of each rule, with the position from which it can be taken."""
    for at, thing in enumerate(RIGHTS):
        for rule_at, rule in enumerate(thing.get("rules", ())):
            # Reading through pods/exec is the playbooks' tests' part.
            if rule["resources"] == ["pods/exec"]:
                continue
            for verb in rule["verbs"]:
                name = f"{verb} {rule['resources'][0]} ({thing['metadata']['name']})"
                yield pytest.param(at, rule_at, verb, id=name)


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
    less = copy.deepcopy(RIGHTS)
    less[at]["rules"][rule_at]["verbs"].remove(verb)
    session = granted("ipsec-rotate", less)
    with pytest.raises(RotationError) as error:
        rotate(session)
    assert f"the right to {verb}" in str(error.value)


def test_account_of_the_check_may_not_see_the_key(granted):
    session = granted("ipsec-check")
    with pytest.raises(RotationError, match="lacks the right to get on secrets"):
        steps.preflight(session)
