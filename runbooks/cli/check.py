"""``ipsec-runbooks check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbooks.report import Format

Sysdump = Annotated[
    Path | None,
    typer.Option(
        "--sysdump",
        metavar="FILE|DIR",
        help="Read a cilium sysdump or cilium-bugtool archive, packed or unpacked.",
    ),
]
SnapshotFolder = Annotated[
    Path | None,
    typer.Option(
        "--snapshot",
        metavar="DIR",
        help="Read a snapshot: one folder per node, with cilium-bugtool's files.",
    ),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="Form of the report.")]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output-file", metavar="FILE", help="Write the report there."),
]
Context = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig; default: the current.")
]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="Kubeconfig; default: KUBECONFIG, ~/.kube/config.")
]
Namespace = Annotated[
    str | None, typer.Option(help="Namespace of Cilium; default: found by itself.")
]
Interval = Annotated[
    float, typer.Option(min=0.0, max=600.0, help="Seconds between the two samples.")
]
EtcdEndpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Ask the key-value store itself for causes; default: through an agent.",
    ),
]
EtcdCa = Annotated[Path | None, typer.Option(metavar="FILE", help="Its authority.")]
EtcdCert = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Certificate to show to it.")
]
EtcdKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Key of that certificate.")
]


def check(
    sysdump: Sysdump = None,
    snapshot: SnapshotFolder = None,
    output: Output = Format.TEXT,
    output_file: OutputFile = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    etcd_endpoint: EtcdEndpoint = None,
    etcd_ca: EtcdCa = None,
    etcd_cert: EtcdCert = None,
    etcd_key: EtcdKey = None,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit",
            help="Compare every pair of nodes, however many there are, and tell also"
            " what needs no action now.",
        ),
    ] = False,
    interval: Interval = 1.0,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Never use colors.")
    ] = False,
) -> None:
    """Find pairs of nodes whose XFRM states no longer belong together.

    Reads the cluster of the current kubeconfig through its agents' pods, or an
    archive, and changes nothing. Exit status: 0 healthy, 1 at least one finding
    of severity warning or critical, 2 called wrongly, 3 not everything that is
    needed could be read and nothing was found in the rest.
    """
    # Imported late: --help must not wait for a Kubernetes client.
    from runbooks.collect import collect, etcd_access
    from runbooks.collect.errors import CollectError, UsageError
    from runbooks.diagnose import diagnose
    from runbooks.report import report

    try:
        etcd = etcd_access(etcd_endpoint, etcd_ca, etcd_cert, etcd_key)
        samples = collect(
            archive=sysdump,
            folder=snapshot,
            kubeconfig=kubeconfig,
            context=context,
            namespace=namespace,
            interval_s=interval,
            audit=audit,
            etcd=etcd,
        )
    except CollectError as error:
        typer.echo(f"ipsec-runbooks check: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageError) else 3) from None
    diagnosis = diagnose(samples, audit=audit)
    try:
        report(diagnosis, output, output_file, color=False if no_color else None)
    except OSError as error:
        typer.echo(
            f"ipsec-runbooks check: the report can't be written: {error}.", err=True
        )
        raise typer.Exit(2) from None
    raise typer.Exit(diagnosis.exit_code)
