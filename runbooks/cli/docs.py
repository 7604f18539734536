"""``ipsec-runbooks docs``: the pages, on the machine where they are needed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from runbooks.pages.site import Place
    from runbooks.pages.source import Page

app = typer.Typer(
    help="The pages of the documentation, and their commands.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _fail(error: object, status: int) -> NoReturn:
    typer.echo(f"Error: {error}", err=True)
    raise typer.Exit(status)


@app.command("list")
def list_pages() -> None:
    """List the pages whose commands can be run."""
    from runbooks.pages.source import pages

    try:
        found = [page for page in pages() if page.has_sessions]
    except FileNotFoundError as error:
        _fail(error, 2)
    for page in found:
        options = "starts its own" if page.lab is None else " ".join(page.lab)
        typer.echo(f"{page.name}" + (f"   (lab: {options})" if options else ""))


@app.command()
def run(
    page: Annotated[
        str, typer.Argument(metavar="PAGE", help="For example kvstore-lease-expired.")
    ],
    name: Annotated[
        str, typer.Option("--name", help="Name of the lab; started if it is not up.")
    ] = "lab",
    step: Annotated[
        bool | None,
        typer.Option(
            "--step/--no-step",
            help="Wait for the Enter key before each block; default: on a terminal.",
        ),
    ] = None,
) -> None:
    """Run a page's commands on a lab, in order, and compare what they print.

    Only the lab is touched, never the cluster of your kubeconfig. Exit status: 0 all
    was as the page says, 1 something was not, 2 called wrongly.
    """
    from runbooks.pages.session import PageError
    from runbooks.pages.source import UnknownPageError
    from runbooks.pages.source import page as find

    try:
        found = find(page)
        _run(found, name, sys.stdin.isatty() if step is None else step)
    except (UnknownPageError, FileNotFoundError, PageError) as error:
        _fail(error, 2)


@app.command("open")
def open_page(
    page: Annotated[
        str,
        typer.Argument(
            metavar="PAGE",
            help="For example kvstore-lease-expired; default: the first page.",
        ),
    ] = "",
    print_path: Annotated[
        bool, typer.Option("--print-path", help="Only say where the page is.")
    ] = False,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve the pages on 127.0.0.1 until Ctrl-C, for ssh -L."
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(help="With --serve: where to listen; 0: any free port.")
    ] = 0,
) -> None:
    """Open a page in a browser, from this machine and without a network.

    Exit status: 0 opened or printed, 1 no browser could be started, the page's path
    was printed, 2 called wrongly, or the pages are not in this installation.
    """
    from runbooks.pages.site import NoSiteError, find, site_folder
    from runbooks.pages.source import UnknownPageError

    try:
        site = site_folder()
        place = find(page, site)
        if serve:
            _serve(place, site, port)
            return
    except (NoSiteError, UnknownPageError, OSError) as error:
        _fail(error, 2)
    if print_path:
        typer.echo(place.path)
        return
    import webbrowser

    if not webbrowser.open(place.uri):
        typer.echo(place.path)
        _fail("no browser could be started; the page is in that file", 1)
    typer.echo(f"Opened {place.uri}")


def _serve(place: Place, site: Path, port: int) -> None:
    from runbooks.pages.serve import server

    below = place.path.relative_to(site).as_posix()
    section = f"#{place.section}" if place.section else ""
    with server(site, port) as running:
        used = running.server_port
        typer.echo(f"http://127.0.0.1:{used}/{below}{section}")
        typer.echo(f"From elsewhere: ssh -L {used}:127.0.0.1:{used} ...; Ctrl-C ends.")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            typer.echo("Ended.")


def _run(page: Page, name: str, step: bool) -> None:
    from runbooks.lab.plan import Lab
    from runbooks.pages.follow import OnTerminal
    from runbooks.pages.run import run_page

    kubeconfig = None
    if page.lab is not None:
        _bring_up(name, page.lab)
        kubeconfig = Lab(name).kubeconfig
    with tempfile.TemporaryDirectory(prefix="ipsec-runbooks-page-") as folder:
        done = run_page(page, Path(folder), name, kubeconfig, OnTerminal(page, step))
    tally = done.tally
    if done.problem is not None:
        typer.echo(f"\nNot as the page has it: {done.problem}", err=True)
        typer.echo(f"The lab stays as it is: ipsec-runbooks lab heal --name {name}")
        raise typer.Exit(1)
    typer.echo(
        f"\n{page.name}: {tally.commands} commands in {tally.blocks} blocks printed "
        f"what the page shows, in {done.duration_s:.0f} s."
    )
    for line, reason in tally.skipped:
        typer.echo(f"  line {line} was not run: {reason}")


def _bring_up(name: str, options: tuple[str, ...]) -> None:
    import subprocess

    words = [sys.executable, "-m", "runbooks", "lab", "up", "--name", name, *options]
    status = subprocess.run(words, check=False).returncode
    if status:
        raise typer.Exit(status)
