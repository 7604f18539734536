"""Which nodes show something, told by what their states sum up to.

No I/O here: two brief snapshots in, nodes with their signs out. A sign is no
finding: it is a reason to read a node's states and compare them with its peers'.
"""

from __future__ import annotations

import enum
import statistics
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runbooks.snapshot import NodeSnapshot, Snapshot
    from runbooks.xfrm.brief import BriefStates


class Age(NamedTuple):
    """States that were added at about the same time, on the reader's clock."""

    oldest_s: float
    newest_s: float
    states: int


class Sign(enum.StrEnum):
    """What a node shows."""

    ERRORS_RISE = "its error counters rise"
    STATES_FAILED = "states of its newest SPI have refused packets"
    OTHER_SPIS = "it has other SPIs than most nodes"
    OTHER_COUNT = "it has more or fewer states than most nodes"
    TOO_FEW = "it has fewer outbound states than there are other CiliumNodes"
    STATES_MADE_ANEW = "some of its states are young, and no node joined then"
    NUMBERS_RUN_OUT = "an outbound state comes close to its last number"
    NOT_UNDERSTOOD = "what it answered can't be read"


#: Deleted pods and busy moments raise these; both ends' states tell nothing of it.
NOT_OF_STATES = frozenset(
    {"XfrmFwdHdrError", "XfrmInError", "XfrmInStateInvalid", "XfrmAcquireError"}
)
#: Without ESN the last number is 2^32 - 1.
NUMBERS_RUN_OUT_AT = 0.7 * 2**32
#: From the start of a new node's states until its peers have theirs for it.
JOIN_S = 60.0
#: How far apart nodes make their states in a rotation: kubelet's minute, an agent's
#: jitter, and a check that comes in between.
ROTATION_S = 600.0


def signs(first: Snapshot, second: Snapshot) -> dict[str, frozenset[Sign]]:
    """Tell which nodes show something.

    Args:
        first: Brief snapshot of all nodes.
        second: The same a few seconds later.

    Returns:
        Signs by node; nodes that show nothing, or were not read, are left out.
    """
    briefs = {
        name: node.brief
        for name, node in {**first.nodes, **second.nodes}.items()
        if node.brief is not None
    }
    found: dict[str, set[Sign]] = defaultdict(set)
    for name in first.nodes:
        after = second.nodes.get(name)
        if after is not None and _rising(first.nodes[name], after):
            found[name].add(Sign.ERRORS_RISE)
    for name, node in {**first.nodes, **second.nodes}.items():
        if node.brief is None and node.clock_s is not None:
            found[name].add(Sign.NOT_UNDERSTOOD)
    for name, brief in briefs.items():
        found[name].update(_of_node(brief))
    for sign, names in (
        (Sign.OTHER_SPIS, _with_other_spis(briefs)),
        (Sign.OTHER_COUNT, _with_other_counts(briefs)),
        (Sign.TOO_FEW, _with_too_few(briefs, len(first.cluster.cilium_nodes) - 1)),
        (Sign.STATES_MADE_ANEW, _made_anew(briefs, first)),
    ):
        for name in names:
            found[name].add(sign)
    return {name: frozenset(shown) for name, shown in found.items() if shown}


def _rising(before: NodeSnapshot, after: NodeSnapshot) -> bool:
    if before.counters is None or after.counters is None:
        return False
    return any(
        count > before.counters.get(name, 0)
        for name, count in after.counters.items()
        if name not in NOT_OF_STATES
    )


def _of_node(brief: BriefStates) -> Iterable[Sign]:
    newest = brief.newest_spi
    if any(group.failing for group in brief.sums if group.spi == newest):
        yield Sign.STATES_FAILED
    if any(
        group.number_max >= NUMBERS_RUN_OUT_AT and group.esn < group.states
        for group in brief.sums
        if group.direction == "out"
    ):
        yield Sign.NUMBERS_RUN_OUT


def _with_other_spis(briefs: Mapping[str, BriefStates]) -> set[str]:
    having = Counter(spi for brief in briefs.values() for spi in brief.spis)
    usual = {spi for spi, nodes in having.items() if 2 * nodes > len(briefs)}
    return {name for name, brief in briefs.items() if brief.spis != usual}


def _with_other_counts(briefs: Mapping[str, BriefStates]) -> set[str]:
    """Nodes that differ from most in how many states of an SPI they have."""
    counts: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for name, brief in briefs.items():
        for group in brief.sums:
            counts[group.spi, group.direction][name] = group.states
    found: set[str] = set()
    for by_node in counts.values():
        usual = Counter(by_node.values()).most_common(1)[0][0]
        found.update(name for name, count in by_node.items() if count != usual)
    return found


def _with_too_few(briefs: Mapping[str, BriefStates], peers: int) -> set[str]:
    """Nodes that can't send to all others, under whichever key."""
    most = {
        name: max((g.states for g in brief.sums if g.direction == "out"), default=0)
        for name, brief in briefs.items()
    }
    return {name for name, states in most.items() if states < peers}


def _made_anew(briefs: Mapping[str, BriefStates], read: Snapshot) -> set[str]:
    """Nodes that made states anew for peers that have kept theirs.

    A node that joins, or boots, makes all of its states, and its peers theirs for
    it, at the same time. So young states on a node are explained by nodes whose
    oldest states are as young; and a node all of whose states are young, by peers
    that made some then.
    """
    ages: dict[int, dict[str, list[Age]]] = defaultdict(dict)
    for name, brief in briefs.items():
        ahead_s = _clock_ahead_s(read.nodes.get(name))
        for age in brief.ages:
            shifted = Age(age.oldest_s - ahead_s, age.newest_s - ahead_s, age.states)
            ages[age.spi].setdefault(name, []).append(shifted)
    return {name for by_node in ages.values() for name in _of_one_spi(by_node)}


def _of_one_spi(ages: Mapping[str, list[Age]]) -> Iterable[str]:
    births = {name: min(age.oldest_s for age in own) for name, own in ages.items()}
    usual_s = statistics.median(births.values())
    totals = Counter(sum(age.states for age in own) for own in ages.values())
    for_each_peer = totals.most_common(1)[0][0] / max(1, len(ages) - 1)
    by_birth = sorted(births.values())
    for name, own in ages.items():
        younger = [age for age in own if age.oldest_s > births[name]]
        for age in younger:
            begin_s, end_s = age.oldest_s - JOIN_S, age.newest_s + JOIN_S
            joined = bisect_right(by_birth, end_s) - bisect_left(by_birth, begin_s)
            joined -= begin_s <= births[name] <= end_s
            if age.states > joined * for_each_peer:
                yield name
        if births[name] > usual_s + ROTATION_S and not _noticed(name, births, ages):
            yield name


def _noticed(
    name: str, births: Mapping[str, float], ages: Mapping[str, list[Age]]
) -> bool:
    """Whether most nodes that are older made states when this one made its first."""
    begin_s, end_s = births[name] - JOIN_S, births[name] + JOIN_S
    older = [own for peer, own in ages.items() if births[peer] < begin_s]
    noticing = sum(
        any(age.oldest_s <= end_s and age.newest_s >= begin_s for age in own)
        for own in older
    )
    return 2 * noticing >= len(older)


def _clock_ahead_s(node: NodeSnapshot | None) -> float:
    if node is None or node.clock_s is None or node.read_s is None:
        return 0.0
    return node.clock_s - node.read_s
