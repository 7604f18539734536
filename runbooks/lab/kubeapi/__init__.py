"""What stands in for kube-apiserver in the lab.

``serve`` a ``Store`` and the real kubectl, the real Kubernetes client and the
real kubernetes.core work against it.
"""

from runbooks.lab.kubeapi.credentials import Credentials, Identity, service_account
from runbooks.lab.kubeapi.execution import ExecHandler, ExecIO
from runbooks.lab.kubeapi.faults import Fault, Faults
from runbooks.lab.kubeapi.patches import PatchType
from runbooks.lab.kubeapi.server import Server, serve
from runbooks.lab.kubeapi.status import (
    StatusError,
    backend_unreachable,
    executable_not_found,
)
from runbooks.lab.kubeapi.store import Store
from runbooks.lab.kubeapi.streams import LogHandler, LogRequest
from runbooks.lab.kubeapi.watch import Event, Subscription

__all__ = [
    "Credentials",
    "Event",
    "ExecHandler",
    "ExecIO",
    "Fault",
    "Faults",
    "Identity",
    "LogHandler",
    "LogRequest",
    "PatchType",
    "Server",
    "StatusError",
    "Store",
    "Subscription",
    "backend_unreachable",
    "executable_not_found",
    "serve",
    "service_account",
]
