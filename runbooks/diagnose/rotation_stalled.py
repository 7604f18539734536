"""Rotations that some node does not take part in.

A node that keeps the old key loses nothing at first: every sender uses the older of
both ends' keys for as long as the old states are in place. The others remove those
once the rotation duration is over, and then nothing passes to or from that node.

What is no stall: nodes that lag while kubelet brings them the Secret, and a node
that keeps the old states beside the new ones for longer than the others, as one does
whose agent was restarted meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity
from runbooks.diagnose.node_states import ends_after, first_made
from runbooks.diagnose.settings import duration_s, reads_key_file_again
from runbooks.diagnose.settling import age_s, now_s
from runbooks.diagnose.sums import both_compared

if TYPE_CHECKING:
    from runbooks.diagnose.view import Tunnel, View

DEFAULT_ROTATION_S = 300.0
#: kubelet brings a changed Secret to its nodes within about a minute.
KUBELET_S = 180.0
LAST_KEY_ID = 15

#: Per SPI, when the oldest of its states was made, on the reader's clock.
Made = Mapping[int, float]


def rotation_stalled(view: View) -> Iterable[Finding]:
    """Find nodes that a rotation has left behind, and those that it would lose."""
    rotating = len(view.spis) > 1
    made = {n: _made_s(view, n) for n in sorted(view.read)} if rotating else {}
    # What only the second sample has is a moment old.
    spis = {spi for times in made.values() for spi in times}
    if len(spis) > 1:
        new = newest_spi(spis, made.values())
        behind = [n for n, times in made.items() if times and new not in times]
        for node in behind:
            yield from _left_behind(view, node, new, made)
        yield from _sent_for_nobody(view, new, frozenset(behind))
    yield from _never_loaded(view)


def newest_spi(spis: Iterable[int], made: Iterable[Made]) -> int:
    """The SPI that a rotation leads to.

    A node that has several made them in their order, whatever its clock. Where none
    has, key IDs that follow one another tell, 1 following 15.

    Args:
        spis: The SPIs in use.
        made: Per node, when it made its first state under each.
    """
    found = sorted(set(spis))
    votes: Counter[int] = Counter()
    first: dict[int, float] = {}
    for times in made:
        if len(times) > 1:
            votes[max(times, key=lambda spi: (times[spi], spi))] += 1
        for spi, time_s in times.items():
            first[spi] = min(time_s, first.get(spi, time_s))
    if votes:
        return votes.most_common(1)[0][0]
    if len(found) == 2:
        older, newer = found
        if newer == older + 1:
            return newer
        if (older, newer) == (1, LAST_KEY_ID):
            return older
    return max(found, key=lambda spi: (first.get(spi, 0.0), spi))


def _made_s(view: View, node: str) -> dict[int, float]:
    """Per SPI of this cluster's tunnels, when a node made its first state."""
    return {
        spi: view.on_readers_clock(node, made_s) or 0.0
        for spi, made_s in first_made(view, node).items()
        if spi in view.spis  # no left-overs, no other clusters
    }


def _left_behind(
    view: View, node: str, new: int, made: Mapping[str, Made]
) -> Iterable[Finding]:
    if new in _spis_after(view, node):
        return
    own = max(made[node], key=lambda spi: (made[node][spi], spi))
    moved = [n for n, spis in made.items() if new in spis]
    began_s = min(made[n][new] for n in moved)
    dropped = [n for n in moved if _dropped(view, node, n, own, began_s)]
    for_s = _known_for_s(view, moved, new)
    kept_s = _rotation_s(view)
    limit_s = max(kept_s, KUBELET_S)
    if not dropped and (for_s is None or for_s <= limit_s):
        return
    config = view.samples.first.cluster.config
    facts = view.samples.first.cluster.cilium_nodes.get(node)
    secret = view.samples.first.cluster.secret
    why = _why(node, config, secret.key_id if secret else None, new)
    since = f" for {for_s:,.0f} s" if for_s is not None else ""
    if dropped:
        consequence = (
            f"{len(dropped)} of its peers have removed SPI {own} already"
            f" ({_some(dropped)}): nothing passes between them and {node}."
        )
    else:
        consequence = (
            f"Its peers remove SPI {own} {kept_s:,.0f} s after their new states"
            f" came, and then nothing passes between them and {node}."
        )
    yield Finding(
        code=Code.ROTATION_STALLED,
        severity=Severity.CRITICAL if dropped else Severity.WARNING,
        summary=(
            f"{node} still uses SPI {own}, while {len(moved)} of"
            f" {len(made)} nodes have had SPI {new}{since}."
            f" {consequence} {why}"
        ),
        node=node,
        spi=own,
        evidence={
            "newest_spi": new,
            "nodes_on_newest": len(moved),
            "newest_since_s": None if for_s is None else round(for_s),
            "rotation_duration_s": kept_s,
            "announced_key_id": facts.encryption_key if facts else None,
            "secret_key_id": secret.key_id if secret else None,
            "cut_off_from": sorted(dropped),
        },
        runbook=str(Code.ROTATION_STALLED),
    )


def _why(node: str, config: Mapping[str, str], secret: int | None, new: int) -> str:
    if not reads_key_file_again(config):
        return (
            "Agents don't watch the key file here (enable-ipsec-key-watcher is"
            f" false): restart the agent on {node}."
        )
    if secret is not None and secret != new:
        return (
            f"The Secret holds key ID {secret} by now, and not {new}: somebody changed"
            " it again meanwhile."
        )
    return (
        f"Either the key file on {node} did not change, or its agent did not take it:"
        " look at its log for IPsec keyfile, and restart it if it says nothing."
    )


def _dropped(view: View, node: str, peer: str, spi: int, began_s: float) -> bool:
    """Whether a peer has no state left for what a node still sends.

    A peer that joined after the rotation began never had one: until the node has
    its new key, that is a moment's matter.
    """
    facts = view.samples.first.cluster.cilium_nodes.get(peer)
    if facts is not None and facts.created_s is not None and facts.created_s > began_s:
        return False
    if not both_compared(view, node, peer):
        return False
    sent = [t for t in view.pairs.get((node, peer), ()) if t.spi == spi and t.outbound]
    return bool(sent) and not any(_arrives(view, t) for t in sent)


def _arrives(view: View, tunnel: Tunnel) -> bool:
    return bool(
        tunnel.inbound or tunnel.inbound_after or view.accepts_any_source(tunnel)
    )


def _sent_for_nobody(view: View, new: int, behind: frozenset[str]) -> Iterable[Finding]:
    """Find senders whose packets of this very moment nobody can decrypt."""
    for (source, destination), tunnels in view.pairs.items():
        if source in behind or not both_compared(view, source, destination):
            continue
        for tunnel in tunnels:
            before, after = tunnel.outbound, tunnel.outbound_after
            if before is None or after is None or after.oseq <= before.oseq:
                continue
            if _arrives(view, tunnel) or ends_after(view, destination) is None:
                continue
            age = age_s(view, source, before)
            if tunnel.spi == new and (age is None or age < KUBELET_S):
                continue  # the receiver is about to have it
            yield _for_nobody(tunnel, after.oseq - before.oseq, new)
            break


def _for_nobody(tunnel: Tunnel, packets: int, new: int) -> Finding:
    source, destination, spi = tunnel.source, tunnel.destination, tunnel.spi
    which = "does not have yet" if spi == new else "has removed already"
    return Finding(
        code=Code.ROTATION_STALLED,
        severity=Severity.CRITICAL,
        summary=(
            f"{source} encrypts for {destination} under SPI {spi}, which"
            f" {destination} {which}: {packets:,} packets were sent for nothing while"
            f" this check ran. Restart the agent on"
            f" {destination if spi == new else source}."
        ),
        source=source,
        destination=destination,
        spi=spi,
        evidence={"newest_spi": new, "sent_delta": packets, "cut_off_from": []},
        runbook=str(Code.ROTATION_STALLED),
    )


def _never_loaded(view: View) -> Iterable[Finding]:
    """Tell of a Secret whose key no node has taken up."""
    cluster = view.samples.first.cluster
    secret, read_s = cluster.secret, now_s(view)
    if secret is None or secret.changed_s is None or read_s is None or not view.spis:
        return
    since_s = read_s - secret.changed_s
    if secret.key_id in view.spis or since_s <= max(KUBELET_S, jitter_s(view)):
        return
    spis = " and ".join(map(str, sorted(view.spis)))
    watched = reads_key_file_again(cluster.config)
    yield Finding(
        code=Code.ROTATION_STALLED,
        severity=Severity.WARNING,
        summary=(
            f"The Secret has held key ID {secret.key_id} for {since_s:,.0f} s, and no"
            f" node uses it: all are on SPI {spis}. "
            + (
                "Look at the agents' logs for IPsec keyfile: they refuse a key of"
                " another length or a line that they can't read."
                if watched
                else "Agents don't watch the key file here (enable-ipsec-key-watcher is"
                " false) and need a restart."
            )
        ),
        evidence={
            "secret_key_id": secret.key_id,
            "changed_since_s": round(since_s),
            "spis": sorted(view.spis),
            "cut_off_from": [],
        },
        runbook=str(Code.ROTATION_STALLED),
    )


def _spis_after(view: View, node: str) -> frozenset[int]:
    return frozenset(spi for _, _, spi in ends_after(view, node) or ())


def _known_for_s(view: View, nodes: Iterable[str], spi: int) -> float | None:
    """For how long the first of some nodes has had an SPI, by its own clock."""
    ages = []
    for node in nodes:
        clock_s, made_s = view.nodes[node].clock_s, first_made(view, node).get(spi)
        if clock_s is not None and made_s is not None:
            ages.append(clock_s - made_s)
    return max(ages, default=None)


def _rotation_s(view: View) -> float:
    """For how long the old states stay, and the nodes' jitter on top of it."""
    config = view.samples.first.cluster.config
    kept_s = duration_s(config, "ipsec-key-rotation-duration", DEFAULT_ROTATION_S)
    return kept_s + jitter_s(view)


def jitter_s(view: View) -> float:
    """By how much agents spread their updates; newer versions have an option."""
    config = view.samples.first.cluster.config
    names = [name for name in config if "ipsec" in name and "jitter" in name]
    return max((duration_s(config, name, 0.0) for name in names), default=0.0)


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")
