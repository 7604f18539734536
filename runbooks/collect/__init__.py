"""Where a snapshot comes from: agents' pods, a folder, an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.collect.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from runbooks.collect.etcd import EtcdAccess
    from runbooks.snapshot import Samples


def collect(
    *,
    archive: Path | None = None,
    folder: Path | None = None,
    kubeconfig: Path | None = None,
    context: str | None = None,
    namespace: str | None = None,
    interval_s: float = 1.0,
    audit: bool = False,
    etcd: EtcdAccess | None = None,
) -> Samples:
    """Read a cluster, an archive or a snapshot folder.

    Args:
        archive: A cilium sysdump or cilium-bugtool archive.
        folder: A snapshot folder.
        kubeconfig: Kubeconfig of the cluster to read where neither is given.
        context: Its context.
        namespace: Namespace of Cilium.
        interval_s: Seconds between the two samples of a cluster.
        audit: Whether to read every state of a cluster, however large it is.
        etcd: Its key-value store; asked through an agent if ``None``.

    Returns:
        What was read.

    Raises:
        CollectError: Nothing can be read; the text says why and what to do.
    """
    if archive is not None and folder is not None:
        raise UsageError("--sysdump and --snapshot exclude each other.")
    path = archive or folder
    if path is not None:
        if context or kubeconfig or namespace or etcd:
            raise UsageError(
                "--context, --kubeconfig, --namespace and --etcd-endpoint are for a"
                " cluster; an archive is read without one."
            )
        from runbooks.collect.archived_snapshot import read_archive

        return read_archive(path)
    from runbooks.collect.cluster import ClusterReader
    from runbooks.collect.depths import read_for_check

    reader = ClusterReader.connect(kubeconfig, context, namespace, etcd)
    return read_for_check(reader, interval_s, audit=audit)


def etcd_access(
    endpoint: str | None, ca: Path | None, certificate: Path | None, key: Path | None
) -> EtcdAccess | None:
    """Take a command line's options for etcd; ``None`` where none was given.

    Raises:
        UsageError: They don't belong together, or a file is not there.
    """
    if endpoint is None and not (ca or certificate or key):
        return None
    from runbooks.collect.etcd import EtcdAccess

    return EtcdAccess.of(endpoint, ca, certificate, key)
