"""A node's way to the others, made worse by the kernel's netem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.breaks.condition import Situation

_DEVICE = "eth0"
#: More than the device's own queue would hold: nothing is lost but on purpose.
ROOMY_PACKETS = 100_000


def worsen(situation: Situation, limit_packets: int, *effects: str) -> None:
    """Put netem before what a node sends to the others.

    Args:
        situation: The lab and the node.
        limit_packets: How many packets may wait at most.
        effects: What netem does to them, in the words of ``tc netem``.

    Raises:
        LabError: The node's wire is worse already, or netem refused.
    """
    netem = ["netem", "limit", str(limit_packets), *effects]
    done = situation.client.run(
        situation.node, ["tc", "qdisc", "add", "dev", _DEVICE, "root", *netem]
    )
    if done.status:
        name = situation.client.lab.name
        raise LabError(
            f"{situation.node}: tc netem {' '.join(effects)}: {done.stderr.strip()} "
            f"(if its wire is bad already: ipsec-runbooks lab heal --name {name})"
        )


def restore(situation: Situation) -> None:
    """Take netem away, if it is there: a reboot has done that, too.

    Raises:
        LabError: It could not be taken away.
    """
    client, node = situation.client, situation.node
    show = ["tc", "qdisc", "show", "dev", _DEVICE]
    if "netem" not in client.run(node, show).stdout:
        return
    done = client.run(node, ["tc", "qdisc", "del", "dev", _DEVICE, "root"])
    if done.status:
        raise LabError(f"{node}: can't remove netem: {done.stderr.strip()}")
    situation.say(f"{node} sends as before")
