"""``ipsec-runbooks rotate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbooks.cli.check import (  # noqa: TC001 - typer looks at annotations
    Context,
    Kubeconfig,
)

Namespace = Annotated[
    str | None, typer.Option(help="Namespace of Cilium; default: kube-system.")
]
ReportDir = Annotated[
    Path | None,
    typer.Option(
        "--report-dir", metavar="DIR", help="Folder of the report; default: here."
    ),
]
CheckMode = Annotated[
    bool, typer.Option("--check", help="Say what would be done, and change nothing.")
]
ExtraVars = Annotated[
    list[str] | None,
    typer.Option(
        "--extra-vars",
        "-e",
        metavar="VARS",
        help="Variables of the playbook, as for ansible-playbook; repeatable.",
    ),
]
Inventory = Annotated[
    Path | None,
    typer.Option(
        "--inventory",
        "-i",
        metavar="PATH",
        help="Inventory with a host for every node, where key_distribution is files.",
    ),
]
Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        metavar="DIR",
        help="Folder of ansible-runner's artifacts; default:"
        " ~/.local/state/ipsec-runbooks/rotate.",
    ),
]
Prepare = Annotated[
    Path | None,
    typer.Option(
        "--prepare",
        metavar="DIR",
        help="Run nothing; write the folder for ansible-runner transmit.",
    ),
]


def rotate(
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    check: CheckMode = False,
    extra_vars: ExtraVars = None,
    inventory: Inventory = None,
    report_dir: ReportDir = None,
    artifacts: Artifacts = None,
    prepare: Prepare = None,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Never use colors.")
    ] = False,
) -> None:
    """Replace the cluster's IPsec key, and stay until every node has proven it.

    Runs the playbook rotate-ipsec-key.yml and shows how far it is. Ctrl-C stops
    it without harm; run it again, and it goes on with the same key. Exit status:
    0 rotated, or with --check could be, 1 refused or failed, the sentence says
    why, 2 called wrongly, 3 the cluster could not be read and nothing was changed,
    130 interrupted.
    """
    from rich.console import Console

    from runbooks.runner.options import RotateOptions

    options = RotateOptions(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        report_dir=str(report_dir) if report_dir else None,
        inventory=inventory,
        check=check,
        extra_vars=tuple(extra_vars or ()),
    )
    try:
        if prepare is not None:
            from runbooks.runner.prepare import prepare as write

            typer.echo(write(options, prepare))
            return
        from dataclasses import replace

        from runbooks.runner.display import display_for
        from runbooks.runner.rotate import default_artifacts
        from runbooks.runner.rotate import rotate as run

        if kubeconfig is not None and not kubeconfig.is_file():
            raise FileNotFoundError(f"there is no kubeconfig {kubeconfig}")
        if inventory is not None and not inventory.exists():
            raise FileNotFoundError(f"there is no inventory {inventory}")
        here = replace(
            options,
            kubeconfig=kubeconfig.absolute() if kubeconfig else None,
            report_dir=str((report_dir or Path()).absolute()),
            inventory=inventory.absolute() if inventory else None,
        )
        folder = (artifacts or default_artifacts()).absolute()
        display = display_for(Console(no_color=no_color or None, highlight=False))
        with display:
            outcome = run(here, folder, display)
    except OSError as error:
        typer.echo(f"ipsec-runbooks rotate: {error}", err=True)
        raise typer.Exit(2) from None
    if outcome.message:
        typer.echo(f"ipsec-runbooks rotate: {outcome.message}", err=True)
    raise typer.Exit(outcome.status)
