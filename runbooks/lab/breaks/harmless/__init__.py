"""Conditions that only look like a failure: traffic arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.condition import Break, Kind, nothing_to_undo
from runbooks.lab.breaks.harmless import (
    agent_restart,
    burst,
    ciliumnode_recreated_while_down,
    foreign_xfrm,
    idle,
    node_added,
    node_reboot,
    node_removed,
    packet_loss,
    reorder,
    rotation,
    rotation_with_restart,
    self_healed,
)
from runbooks.lab.plan import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbooks.lab.breaks.condition import Situation


def _harmless(
    summary: str,
    sees: str,
    make: Callable[[Situation], None],
    undo: Callable[[Situation], None] = nothing_to_undo,
    modes: tuple[str, ...] = MODES,
    amount: str = "",
    page: str = "lab/breaks",
) -> Break:
    return Break(
        Kind.HARMLESS, summary, sees, page, make, undo=undo, modes=modes, amount=amount
    )


HARMLESS: Mapping[str, Break] = {
    "node-reboot": _harmless(
        "a node reboots: another boot ID, other keys and fresh states on its pairs",
        "For a moment ``XfrmInNoStates`` rises on its peers; then both ends have "
        "fresh states.",
        node_reboot.make,
    ),
    "agent-restart": _harmless(
        "an agent restarts, and leaves the kernel's states as they are",
        "Nothing: states and numbers go on.",
        agent_restart.make,
    ),
    "packet-loss": _harmless(
        "a share of what a node sends gets lost on the way",
        "``seq`` stays a little behind ``oseq``; no counter moves.",
        packet_loss.make,
        packet_loss.undo,
        amount=packet_loss.USUAL,
    ),
    "reorder": _harmless(
        "packets overtake others, by less than the replay window",
        "Nothing: the replay window takes late packets in.",
        reorder.make,
        reorder.undo,
    ),
    "burst": _harmless(
        "every pair sends thousands of packets a second while states are read",
        "``oseq`` and ``seq`` move by thousands between two reads.",
        burst.make,
        burst.undo,
        amount=burst.USUAL,
    ),
    "node-added": _harmless(
        "another node joins; its states are younger than all others",
        "Its states are younger than all others.",
        node_added.make,
        node_added.undo,
    ),
    "node-removed": _harmless(
        "a node leaves for good, and its peers delete their states for it",
        "Its peers have no state for it any more.",
        node_removed.make,
        node_removed.undo,
    ),
    "rotation": _harmless(
        "a healthy rotation is under way: every node holds two SPIs",
        "Two SPIs on every node, for as long as ``ipsec-key-rotation-duration``.",
        rotation.make,
    ),
    "rotation-with-restart": _harmless(
        "an agent restarts late in a rotation: the old SPI stays on its node alone",
        "Two SPIs on the node, one on all others.",
        rotation_with_restart.make,
        page="runbooks/rotation-stalled",
    ),
    "ciliumnode-recreated-while-down": _harmless(
        "a CiliumNode is deleted and made again, with another uid, while no agent runs",
        "A CiliumNode with another uid, younger than the states, and both ends "
        "still belong together.",
        ciliumnode_recreated_while_down.make,
        modes=("crd",),
    ),
    "self-healed": _harmless(
        "states were stale by a small gap, and packets have used it up since",
        "Outbound states younger than the inbound ones at the other end, and "
        "``failed`` above zero, but packets arrive.",
        self_healed.make,
        self_healed.undo,
    ),
    "foreign-xfrm": _harmless(
        "a node has states and policies that are not Cilium's",
        "States and policies with other marks, or with none.",
        foreign_xfrm.make,
        foreign_xfrm.undo,
    ),
    "idle": _harmless(
        "no traffic at all: no state's number moves",
        "No number moves.",
        idle.make,
        idle.undo,
    ),
}
