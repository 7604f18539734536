"""Ways in which a cluster's XFRM states go stale, made to happen.

Each is done the way it happens in production: nothing here writes a state.
"""

from __future__ import annotations

from collections.abc import Callable

from runbooks.lab.client import LabClient
from runbooks.lab.failures import kvstore_lease_expired

Failure = Callable[[LabClient, str, Callable[[str], None]], None]

#: By the name that ``lab break`` takes.
FAILURES: dict[str, Failure] = {
    "kvstore-lease-expired": kvstore_lease_expired.make,
}
