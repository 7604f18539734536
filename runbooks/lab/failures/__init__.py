"""Ways in which a cluster's XFRM states go stale, made to happen.

Each is done the way it happens in production: nothing here writes a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.failures import ciliumnode_recreated, kvstore_lease_expired
from runbooks.lab.plan import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure that a lab can be made to have.

    Attributes:
        make: Makes it happen on a node of a lab; told of each step.
        mode: The one mode in which it happens.
    """

    make: Callable[[LabClient, str, Callable[[str], None]], None]
    mode: str


#: By the name that ``lab break`` takes.
FAILURES: dict[str, Failure] = {
    "ciliumnode-recreated": Failure(ciliumnode_recreated.make, "crd"),
    "kvstore-lease-expired": Failure(kvstore_lease_expired.make, "kvstore"),
}


def failure_for(lab: Lab, name: str) -> Failure:
    """Find a failure that can happen to a lab.

    Args:
        lab: The lab.
        name: The failure's name.

    Raises:
        KeyError: There is no such failure.
        LabError: Not in the lab's mode.
    """
    failure = FAILURES[name]
    if failure.mode != lab.mode:
        raise LabError(
            f"{name} happens in {failure.mode} mode only, and lab {lab.name!r} is in "
            f"{lab.mode} mode; start another one: "
            f"ipsec-runbooks lab up --name {failure.mode} --mode {failure.mode}"
        )
    return failure
