"""``ipsec-runbooks snapshot``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer looks at annotations
from typing import Annotated

import typer

from runbooks.cli.check import (  # noqa: TC001 - typer looks at annotations
    Context,
    EtcdCa,
    EtcdCert,
    EtcdEndpoint,
    EtcdKey,
    Interval,
    Kubeconfig,
    Namespace,
)


def snapshot(
    folder: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder to write; new."),
    ],
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    etcd_endpoint: EtcdEndpoint = None,
    etcd_ca: EtcdCa = None,
    etcd_cert: EtcdCert = None,
    etcd_key: EtcdKey = None,
    interval: Interval = 1.0,
) -> None:
    """Write what the check reads of a cluster into a folder, keys hashed.

    ``ipsec-runbooks check --snapshot DIR`` gives the same answer as the check on
    the cluster did. Exit status: 0 all nodes are in it, 2 called wrongly, 3 some
    could not be read; they are named.
    """
    from runbooks.collect import etcd_access
    from runbooks.collect.cluster import ClusterReader
    from runbooks.collect.errors import CollectError, UsageError
    from runbooks.collect.snapshot_folder import (
        require_empty,
        write_snapshot,
    )

    try:
        require_empty(folder)
        etcd = etcd_access(etcd_endpoint, etcd_ca, etcd_cert, etcd_key)
        reader = ClusterReader.connect(kubeconfig, context, namespace, etcd)
        recording = reader.record(interval)
        write_snapshot(recording, folder)
    except CollectError as error:
        typer.echo(f"ipsec-runbooks snapshot: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageError) else 3) from None
    nodes = [answer.node for answer in recording.first.values()]
    unread = [node for node in nodes if node.states is None]
    typer.echo(f"{len(nodes) - len(unread)} of {len(nodes)} nodes are in {folder}")
    for node in unread:
        typer.echo(" ".join(node.unread), err=True)
    raise typer.Exit(3 if unread else 0)
