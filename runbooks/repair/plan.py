"""Which inbound states may be deleted: those that two samples prove stale.

A stale pair works again once its receiver's state is made anew: the agent adds a
state that is missing, and it then accepts every number that the sender has reached.

Deleting is final, so everything here refuses in doubt. The kernel looks a state up
by destination, SPI and mark, not by source, and takes the first that the mark fits
(net/xfrm/xfrm_state.c, xfrm_state_lookup): a state is left alone when another one
could be meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code
from runbooks.diagnose.staleness import Staleness, judge
from runbooks.diagnose.view import View
from runbooks.xfrm.model import Direction, Mark, XfrmState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runbooks.diagnose.finding import Diagnosis
    from runbooks.snapshot import NodeSnapshot, Samples


@dataclass(frozen=True, slots=True)
class StaleState:
    """One inbound state that its sender has left behind.

    Attributes:
        node: Node that holds it.
        peer: Node that sends to it.
        source: Outer source address.
        destination: Outer destination address.
        spi: SPI.
        mark: Its mark, exactly.
        seq: Highest number that it has seen.
        oseq: Number that its sender has reached.
    """

    node: str
    peer: str
    source: str
    destination: str
    spi: int
    mark: Mark
    seq: int
    oseq: int

    @property
    def deletion(self) -> tuple[str, ...]:
        """The command that deletes it, and nothing else."""
        return (
            *("ip", "xfrm", "state", "delete"),
            *("src", self.source, "dst", self.destination),
            *("proto", "esp", "spi", f"{self.spi:#x}"),
            *("mark", f"{self.mark.value:#x}", "mask", f"{self.mark.mask:#x}"),
        )

    def describe(self) -> str:
        """A sentence with the numbers that prove it."""
        return (
            f"{self.node}: inbound from {self.peer}, {self.source} to"
            f" {self.destination} under SPI {self.spi}, has seen number {self.seq:,};"
            f" {self.peer} has reached {self.oseq:,}."
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be deleted, and what may not.

    Attributes:
        states: Stale states to delete, by node.
        left: Why a stale pair is left alone, a sentence each.
    """

    states: Mapping[str, tuple[StaleState, ...]]
    left: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """What would be deleted, as lines to read."""
        for states in self.states.values():
            for state in states:
                yield state.describe()
                yield f"  on {state.node}: {' '.join(state.deletion)}"
        yield from self.left


def plan(samples: Samples, diagnosis: Diagnosis) -> Plan:
    """Find the stale inbound states that can be deleted safely.

    Args:
        samples: Two samples of the cluster.
        diagnosis: The check's answer to them.
    """
    view = View(samples)
    pairs = [
        (finding.source or "", finding.destination or "")
        for finding in diagnosis.findings
        if finding.code is Code.STALE_XFRM_STATE
    ]
    found: dict[str, list[StaleState]] = {}
    left: list[str] = []
    for source, destination in sorted(set(pairs), key=lambda pair: pair[::-1]):
        for staleness in _stale_tunnels(view, source, destination):
            why = _obstacle(view, staleness)
            if why is not None:
                left.append(
                    f"{source} to {destination} is stale and left alone: {why}."
                )
                continue
            found.setdefault(destination, []).append(_state(staleness))
    return Plan({node: tuple(states) for node, states in found.items()}, tuple(left))


def _stale_tunnels(view: View, source: str, destination: str) -> list[Staleness]:
    spis = view.sending_spis(source, destination)
    return [
        staleness
        for tunnel in view.pairs.get((source, destination), ())
        if tunnel.spi in spis and (staleness := judge(view, tunnel)) is not None
    ]


def _obstacle(view: View, staleness: Staleness) -> str | None:
    """Why a stale state must not be deleted; ``None`` if it may be."""
    tunnel, inbound = staleness.tunnel, staleness.inbound
    if len(view.spis) > 1:
        return (
            "a key rotation is under way, which makes new states, and no agent makes"
            " states of the old key anew"
        )
    if tunnel.outbound_after is None or tunnel.inbound_after is None:
        return "two samples of both nodes are needed to prove it"
    if inbound.mark is None or inbound.direction is not Direction.IN:
        return "its state does not have Cilium's mark"
    node = view.nodes[tunnel.destination]
    if node.agent.ready is False:
        return f"the agent on {node.name} is not ready, and nobody would make it anew"
    return _ambiguity(node, inbound)


def _ambiguity(node: NodeSnapshot, inbound: XfrmState) -> str | None:
    """Why the kernel could delete another state; ``None`` if it can't."""
    if node.states is None:
        return (
            f"{node.name} has so many states that they were read in short, and another"
            " one that the kernel could delete instead would not show; a rotation"
            " replaces all of them"
        )
    if _other_could_be_meant(node, inbound):
        return (
            f"{node.name} has another state that the kernel could delete instead; a"
            " rotation replaces both"
        )
    return None


def _other_could_be_meant(node: NodeSnapshot, target: XfrmState) -> bool:
    mark = target.mark or Mark(0, 0)
    fits = [
        state
        for state in node.states or ()
        if (state.destination, state.spi) == (target.destination, target.spi)
        and _fits(state.mark or Mark(0, 0), mark)
    ]
    return len(fits) != 1


def _fits(held: Mark, asked: Mark) -> bool:
    """Whether a state with a mark is found by a mark that is asked for."""
    return asked.value & asked.mask & held.mask == held.value


def _state(staleness: Staleness) -> StaleState:
    inbound, tunnel = staleness.inbound, staleness.tunnel
    return StaleState(
        node=tunnel.destination,
        peer=tunnel.source,
        source=inbound.source,
        destination=inbound.destination,
        spi=inbound.spi,
        mark=inbound.mark or Mark(0, 0),
        seq=inbound.seq,
        oseq=staleness.outbound.oseq,
    )
