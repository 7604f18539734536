"""The nodes' kernels, as the check reads them, for a run that has to wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runbooks.collect.cluster import ClusterReader
from runbooks.collect.depths import read_for_check
from runbooks.collect.errors import CollectError, NotPermittedError, UnreachableError
from runbooks.diagnose import diagnose
from runbooks.rotation.errors import RotationError, TransientError
from runbooks.rotation.session import Assessment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbooks.collect.agent_exec import Ran
    from runbooks.collect.etcd import EtcdAccess
    from runbooks.diagnose.finding import Diagnosis
    from runbooks.rotation.objects import Target
    from runbooks.snapshot import Snapshot

T = TypeVar("T")


class KernelReader:
    """Reads a cluster's kernels; an API server that is away is no failure.

    Args:
        target: Which cluster.
        sample_interval_s: Time between the two samples of a check, in seconds.
        etcd: The key-value store, if a check may ask it.
    """

    def __init__(
        self,
        target: Target,
        sample_interval_s: float,
        etcd: EtcdAccess | None = None,
    ) -> None:
        kubeconfig = Path(target.kubeconfig) if target.kubeconfig else None
        self._sample_interval_s = sample_interval_s
        self._reader = _in_own_words(
            lambda: ClusterReader.connect(
                kubeconfig, target.context, target.namespace, etcd
            )
        )

    def states(self, *, policies: bool = False) -> Snapshot:
        """Read the XFRM states of all nodes, and their policies if asked to."""
        return _in_own_words(lambda: self._reader.states(policies=policies))

    def assess(
        self, *, audit: bool = False, after_first: Callable[[], None] | None = None
    ) -> Assessment:
        """Run the check: two samples, and the diagnosis of both."""
        samples = _in_own_words(
            lambda: self._reader.samples(self._sample_interval_s, after_first)
        )
        return Assessment(diagnose(samples, audit=audit), samples)

    def check(self, *, audit: bool = False) -> Diagnosis:
        """Run the check as deep as it takes."""
        samples = _in_own_words(
            lambda: read_for_check(self._reader, self._sample_interval_s, audit=audit)
        )
        return diagnose(samples, audit=audit)

    def run(self, argv: Sequence[str], node: str | None = None) -> dict[str, Ran]:
        """Run a command in the agents' pods, or in the one of a node."""
        return _in_own_words(lambda: self._reader.run(argv, node))


def _in_own_words(read: Callable[[], T]) -> T:
    try:
        return read()
    except UnreachableError as error:
        raise TransientError(f"the cluster ({error})") from None
    except NotPermittedError as error:
        raise RotationError(f"{error} playbooks/files/rbac.yml grants it.") from None
    except CollectError as error:
        raise RotationError(str(error)) from None
