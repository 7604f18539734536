"""``ipsec-runbooks lab``: a cluster of real kernels on this machine."""

import typer

app = typer.Typer(help="A cluster of real kernels on this machine.")
