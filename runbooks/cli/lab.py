"""``ipsec-runbooks lab``: a cluster of real kernels on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from runbooks.lab.plan import Lab, LabError

app = typer.Typer(
    help="A cluster of real kernels on this machine, and the ways it breaks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
traffic_app = typer.Typer(
    help="Numbered packets between the nodes' pods.", no_args_is_help=True
)
app.add_typer(traffic_app, name="traffic")

Name = Annotated[str, typer.Option("--name", help="Name of the lab.")]
NodeName = Annotated[str, typer.Option("--node", help="Name of a node.")]


#: Fields of a lab by the option that chooses them.
_FIELDS = {
    "mode": "mode",
    "nodes": "node_count",
    "datapath": "datapath",
    "ipv6": "ipv6",
    "legacy_sa": "legacy_sa",
    "nodes_on": "nodes_on",
    "rotation_duration": "timings",
}


def _fail(error: LabError | OSError, status: int = 1) -> NoReturn:
    typer.echo(f"Error: {error}", err=True)
    raise typer.Exit(status)


@app.command()
def up(
    context: typer.Context,
    name: Name = "lab",
    mode: Annotated[
        str,
        typer.Option(
            help="Where nodes learn of each other: kvstore (etcd) or crd "
            "(CiliumNode objects)."
        ),
    ] = "kvstore",
    nodes: Annotated[int, typer.Option(help="How many nodes.")] = 3,
    datapath: Annotated[
        str,
        typer.Option(
            help="How packets travel between nodes: native (routed) or tunnel (VXLAN)."
        ),
    ] = "native",
    ipv6: Annotated[
        bool, typer.Option("--ipv6", help="Give nodes and pods IPv6 beside IPv4.")
    ] = False,
    legacy_sa: Annotated[
        bool,
        typer.Option(
            "--legacy-sa",
            help="States as they were before keys per pair: one key for all, no "
            "extended sequence numbers, no replay window.",
        ),
    ] = False,
    nodes_on: Annotated[
        str,
        typer.Option(
            help="What nodes run on: uml (a kernel of its own for each) or host (this "
            "machine's kernel, if it has ESP; needs root)."
        ),
    ] = "uml",
    rotation_duration: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="How long agents keep a replaced key; Cilium's default is 300.",
        ),
    ] = 8,
) -> None:
    """Start a cluster: a kernel for each node, a Kubernetes API, agents, etcd.

    In a lab that runs, what has ended is started again, and nothing else changes.
    """
    from runbooks.lab.launch import runs
    from runbooks.lab.launch import up as bring_up
    from runbooks.lab.plan import Lab, LabError, Timings

    timings = Timings(rotation_duration_s=rotation_duration)
    try:
        lab = Lab(
            name,
            nodes,
            mode,
            datapath,
            timings,
            ipv6=ipv6,
            legacy_sa=legacy_sa,
            nodes_on=nodes_on,
        )
    except LabError as error:
        _fail(error, 2)
    try:
        if runs(name):
            _bring_back(context, lab)
        else:
            bring_up(lab, lambda line: typer.echo(f"  {line}"))
            typer.echo(f"Lab {name!r} is up. Point a shell at it:")
    except (LabError, OSError) as error:
        _fail(error)
    typer.echo(f"  export KUBECONFIG={lab.kubeconfig}")


def _bring_back(context: typer.Context, asked: Lab) -> None:
    """Start again what has ended in a lab that is as it was asked for."""
    from runbooks.lab.launch import bring_back
    from runbooks.lab.plan import Lab, LabError

    running = Lab.load(asked.name)
    given = {
        field: getattr(asked, field)
        for parameter, field in _FIELDS.items()
        if _was_given(context, parameter)
    }
    if differences := running.differences(given):
        raise LabError(
            f"lab {asked.name!r} runs, and its {'; its '.join(differences)}; end it "
            f"first: ipsec-runbooks lab down --name {asked.name}"
        )
    brought = bring_back(asked.name)
    what = "up already, and all of it runs"
    if brought:
        what = f"whole again ({', '.join(brought)})"
    typer.echo(f"Lab {asked.name!r} is {what}. Point a shell at it:")


def _was_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


@app.command()
def down(name: Name = "lab") -> None:
    """End a lab; nothing of it stays. Succeeds when there is nothing to do."""
    from runbooks.lab.launch import down as take_down
    from runbooks.lab.plan import LabError

    try:
        found = take_down(name)
    except (LabError, OSError) as error:
        _fail(error)
    typer.echo(f"Lab {name!r} is down." if found else f"No lab {name!r} is running.")


@app.command()
def status(
    name: Name = "lab",
    output: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Show nodes, boot IDs, agents, SPIs and counters.

    Exit status: 0 when all of the lab runs, 1 when something is down.
    """
    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import LabError
    from runbooks.lab.status import read_status, render_status

    try:
        found = read_status(LabClient(name))
    except (LabError, OSError) as error:
        _fail(error)
    if output == "json":
        typer.echo(json.dumps(found.nodes, indent=1))
    else:
        typer.echo(render_status(found))
    if not found.whole:
        typer.echo(f"Bring back what is down: ipsec-runbooks lab up --name {name}")
        raise typer.Exit(1)


@app.command("break")
def break_(
    condition: Annotated[
        str | None, typer.Argument(help="What is to happen; --list shows them all.")
    ] = None,
    amount: Annotated[
        str | None, typer.Argument(help="How much of it, where that can be chosen.")
    ] = None,
    node: NodeName = "node2",
    name: Name = "lab",
    how: Annotated[
        str, typer.Option(help="The way to it, where there are several.")
    ] = "",
    list_: Annotated[
        bool, typer.Option("--list", help="Show all of them, with their pages.")
    ] = False,
) -> None:
    """Make a condition happen; returns when it stands."""
    from runbooks.lab.breaks import BREAKS, Situation, make
    from runbooks.lab.breaks.listing import render_breaks
    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import LabError

    if list_:
        typer.echo(render_breaks(BREAKS))
        return
    if condition is None or condition not in BREAKS:
        asked = "say what is to happen" if condition is None else f"no {condition!r}"
        _fail(LabError(f"{asked}; there are {', '.join(BREAKS)}"), 2)
    try:
        client = LabClient(name)
        situation = Situation(
            client, node, lambda line: typer.echo(f"  {line}"), how, amount or ""
        )
        make(condition, situation)
    except (LabError, OSError) as error:
        _fail(error)
    typer.echo(f"{condition} stands on {node}.")


@app.command()
def heal(name: Name = "lab") -> None:
    """Take breaks back, and rotate the key where nothing else heals.

    The rotation is a bare one, without any of the runbook's care.
    """
    from runbooks.lab.client import LabClient
    from runbooks.lab.heal import heal as undo
    from runbooks.lab.plan import LabError

    try:
        spi = undo(LabClient(name), lambda line: typer.echo(f"  {line}"))
    except (LabError, OSError) as error:
        _fail(error)
    typer.echo(f"Every node is on SPI {spi} alone.")


@app.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def exec_(
    node: Annotated[str, typer.Argument(help="Name of a node.")],
    command: Annotated[list[str], typer.Argument(help="The command.")],
    name: Name = "lab",
) -> None:
    """Run a command on a node; output and exit status are the command's."""
    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import LabError

    try:
        argv = command[1:] if command[0] == "--" else command
        code = LabClient(name).run_here(node, argv)
    except BrokenPipeError:
        raise typer.Exit(141) from None  # the reader of our output has enough
    except (LabError, OSError) as error:
        _fail(error, 126)
    raise typer.Exit(code)


def _ask_traffic(name: str, **request: Any) -> tuple[Any, Any]:
    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import LabError

    try:
        client = LabClient(name)
        return client.lab, client.ask("traffic", **request)
    except (LabError, OSError) as error:
        _fail(error)


@traffic_app.command("start")
def traffic_start(
    name: Name = "lab",
    rate: Annotated[float, typer.Option(help="Packets a second and pair.")] = 20,
) -> None:
    """Send numbered packets both ways on every pair."""
    lab, _ = _ask_traffic(name, action="start", rate=rate)
    count = len(lab.nodes) * (len(lab.nodes) - 1)
    families = ", in each IP family" if lab.ipv6 else ""
    typer.echo(f"{rate:g} packets a second on each of {count} pairs{families}.")


@traffic_app.command("stop")
def traffic_stop(name: Name = "lab") -> None:
    """Send no more; what has been counted stays."""
    _ask_traffic(name, action="stop")
    typer.echo("Traffic stopped.")


@traffic_app.command("report")
def traffic_report(
    name: Name = "lab",
    output: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Show what was sent and what arrived on every pair since the start."""
    from runbooks.lab.client import LabClient
    from runbooks.lab.plan import LabError
    from runbooks.lab.status import read_traffic, render_traffic

    try:
        rows = read_traffic(LabClient(name))
    except (LabError, OSError) as error:
        _fail(error)
    typer.echo(json.dumps(rows, indent=1) if output == "json" else render_traffic(rows))
