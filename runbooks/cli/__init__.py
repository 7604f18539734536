"""The ``ipsec-runbooks`` command line."""

from __future__ import annotations

import typer

from runbooks.cli import check, docs, lab, rotate, snapshot

app = typer.Typer(
    name="ipsec-runbooks",
    help="Find stale XFRM states in a Cilium cluster, and rotate its IPsec key safely.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("check")(check.check)
app.command("snapshot")(snapshot.snapshot)
app.command("rotate")(rotate.rotate)
app.add_typer(lab.app, name="lab")
app.add_typer(docs.app, name="docs")


def main() -> None:
    """Run the command line; the console script's entry point."""
    # By this name however it was started: pages show what --help prints.
    app(prog_name="ipsec-runbooks")
