"""Clusters in every condition that hypothesis comes up with."""

import hashlib
from dataclasses import replace

from hypothesis import strategies as st

from runbooks.snapshot import AgentFacts, Samples
from runbooks.xfrm.model import Direction, Mark
from tests.diagnose.cluster_builder import CRD, KVSTORE, NOW, make_cluster

SPIS = (3, 4, 15)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2999, 3000, 3001, 3040, 9000, 3_300_000_000, 2**40]),
    st.integers(0, 2**63),
)
AGES = st.sampled_from([NOW - 86_400, NOW - 86_380, NOW - 600, NOW - 1, NOW + 60])
FIELDS = {
    "seq": NUMBERS,
    "oseq": NUMBERS,
    "packets": NUMBERS,
    "added_s": AGES,
    "used_s": AGES,
    "esn": st.booleans(),
    "replay_window": st.sampled_from([0, 1024]),
    "integrity_errors": st.sampled_from([0, 4, 20, 3000]),
    "replay_errors": st.sampled_from([0, 20]),
    "key_hash": st.sampled_from([None, "ab" * 32, "cd" * 32]),
}


def mark(way, spi, node_id):
    if way is Direction.IN:
        return Mark(node_id << 16 | 0x0D00, 0xFFFF0F00)
    return Mark(node_id << 16 | spi << 12 | 0x0E00, 0xFFFFFF00)


@st.composite
def clusters(draw):
    """A cluster of a few nodes, healthy but for what befell it."""
    cluster = make_cluster(
        draw(st.sampled_from([3, 2, 4, 5, 1])),
        tunnel=draw(st.booleans()),
        ipv6=draw(st.booleans()),
        esn=draw(st.booleans()),
        window=draw(st.sampled_from([0, 1024, 1024])),
    )
    cluster.with_objects = draw(st.booleans())
    cluster.config = dict(draw(st.sampled_from([KVSTORE, CRD, {}])))
    for name in cluster.names:
        if draw(st.integers(0, 3)) == 0:
            cluster.agents[name] = AgentFacts(
                version=draw(st.sampled_from(["1.17.4", "1.18.0"])),
                started_s=draw(st.sampled_from([NOW - 610, NOW - 9_000_000])),
                previous_finished_s=draw(st.sampled_from([None, NOW - 9000])),
            )
        if draw(st.booleans()):
            cluster.clock_ahead_s[name] = draw(st.sampled_from([-30, 7, 4000]))
        if draw(st.booleans()):
            cluster.read_at[name] = NOW + draw(st.sampled_from([0.0, 30.0, 120.0]))
    befall(draw, cluster, most=5)
    return cluster


@st.composite
def samples(draw):
    """Such a cluster read once or twice, nodes missing from either sample."""
    cluster = draw(clusters())
    names = cluster.names
    cluster.unread = set(draw(st.lists(st.sampled_from(names), max_size=1)))
    if draw(st.booleans()):
        found = cluster.once()
    else:
        found = cluster.twice(_meanwhile(draw, cluster))
        gone = set(draw(st.lists(st.sampled_from(names), max_size=1)))
        kept = {n: s for n, s in found.second.nodes.items() if n not in gone}
        found = Samples(found.first, replace(found.second, nodes=kept))
    return with_real_hashes(found)


def _meanwhile(draw, cluster):
    """What happens between the samples; what one node lacked at first may come."""
    kept = dict(cluster.states)
    if draw(st.integers(0, 3)) == 0:
        befall(draw, cluster, most=2, events=(_removed,))
        return lambda: cluster.states.update(kept)
    return lambda: befall(draw, cluster, most=2)


def befall(draw, cluster, most, events=None):
    """Let a few things happen to a cluster."""
    names = cluster.names
    for _ in range(draw(st.sampled_from(range(most, -1, -1)))):
        one, other = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        event = draw(st.sampled_from(events or EVENTS))
        event(draw, cluster, one, other)


def _broken_node(draw, cluster, one, _):
    cluster.break_node(one, made_s=draw(AGES))


def _renewed_pair(draw, cluster, one, other):
    if one != other:
        cluster.renew(one, other, draw(AGES))


def _renewed_by_a_slow_clock(_, cluster, one, other):
    """New states that look older than the kept ones until clocks are compared."""
    if one != other:
        cluster.clock_ahead_s[one] = -30
        cluster.read_at[one] = float(NOW)
        cluster.renew(one, other, NOW - 86_380)


def _received(cluster, one, other):
    return all(into in cluster.states for _, into in cluster.tunnels(one, other))


def _renewed_unnoticed(draw, cluster, one, other):
    """New states that only the numbers of the other way give away."""
    if one != other and _received(cluster, other, one):
        cluster.renew(one, other, NOW - 86_400)
        cluster.send(other, one, draw(st.integers(0, 4000)))


def _traffic(draw, cluster, one, other):
    if _received(cluster, one, other):
        cluster.send(one, other, draw(st.integers(0, 9000)))


def _lost_traffic(draw, cluster, one, other):
    way = draw(st.sampled_from(["integrity_errors", "replay_errors"]))
    if _received(cluster, one, other):
        cluster.lose(one, other, draw(st.integers(0, 9000)), way)


def _removed(draw, cluster, one, other):
    way = draw(st.sampled_from([None, Direction.IN, Direction.OUT]))
    if one != other:
        cluster.remove(one, peer=other, way=way)


def _rotation(draw, cluster, one, _):
    """A new key that one node may lag behind with."""
    spi = draw(st.sampled_from(SPIS))
    cluster.rotate(spi, draw(AGES))
    if draw(st.booleans()):
        for where in [w for w in cluster.states if w[0] == one and w[3] == spi]:
            del cluster.states[where]


def _changed_state(draw, cluster, *_):
    for _ in range(draw(st.integers(1, 4)) if cluster.states else 0):
        where = draw(st.sampled_from(sorted(cluster.states)))
        name = draw(st.sampled_from(sorted(FIELDS)))
        cluster.change(where, **{name: draw(FIELDS[name])})


def _worn_out(draw, cluster, one, _):
    outbound = sorted(w for w in cluster.states if w[0] == one and w[4] == "out")
    if outbound:
        where = draw(st.sampled_from(outbound))
        cluster.change(where, esn=False, oseq=draw(st.integers(3 << 30, 1 << 32)))


def _another_key(_, cluster, one, other):
    for where, _ in cluster.tunnels(one, other):
        cluster.change(where, key_hash="of another key")


def _another_state(draw, cluster, one, _):
    """A left-over: of nobody, of another node, or of the same ends."""
    if not cluster.states:
        return
    state = cluster.states[draw(st.sampled_from(sorted(cluster.states)))]
    ips = [ip for own in cluster.ips.values() for ip in own]
    anywhere = st.sampled_from([*ips, "10.99.0.5", "fd99::5", "0.0.0.0", "::"])
    way = draw(st.sampled_from([Direction.IN, Direction.OUT]))
    if draw(st.booleans()):
        state = replace(state, source=draw(anywhere))
    if draw(st.booleans()):
        state = replace(state, destination=draw(anywhere))
    spi = draw(st.sampled_from([state.spi, *SPIS]))
    state = replace(
        state,
        spi=spi,
        mark=mark(way, spi, draw(st.integers(1, 3))),
        seq=draw(NUMBERS) if way is Direction.IN else 0,
        oseq=draw(NUMBERS) if way is Direction.OUT else 0,
    )
    cluster.foreign.setdefault(one, []).append(state)


def _any_source(_, cluster, one, __):
    """One inbound state for all peers instead of one each."""
    for where, state in list(cluster.states.items()):
        if where[0] == one and where[4] is Direction.IN:
            del cluster.states[where]
            cluster.states[one, "0.0.0.0", *where[2:]] = replace(
                state, source="0.0.0.0"
            )


def _moved_address(draw, cluster, one, other):
    """The cluster's objects say another node has an address, or nobody."""
    given = st.sampled_from([*cluster.ips[other], "10.98.0.1"])
    cluster.ips[one] = [
        draw(given) if draw(st.booleans()) else ip for ip in cluster.ips[one]
    ]


def _errors(draw, cluster, one, _):
    name = draw(st.sampled_from(["XfrmInStateProtoError", "XfrmInNoStates"]))
    cluster.counters[one] = {name: draw(st.integers(0, 9))}


EVENTS = (
    _broken_node,
    _renewed_pair,
    _renewed_unnoticed,
    _renewed_by_a_slow_clock,
    _traffic,
    _lost_traffic,
    _removed,
    _rotation,
    _changed_state,
    _worn_out,
    _another_key,
    _another_state,
    _any_source,
    _moved_address,
    _errors,
)


def with_real_hashes(found):
    """Keys in the form of a hash; hidden ones stay hidden."""

    def hashed(state):
        if state.key_hash is None:
            return state
        digits = hashlib.sha256(state.key_hash.encode()).hexdigest()
        return replace(state, key_hash=digits)

    def changed(snapshot):
        if snapshot is None:
            return None
        nodes = {
            name: replace(
                node,
                states=None if node.states is None else tuple(map(hashed, node.states)),
            )
            for name, node in snapshot.nodes.items()
        }
        return replace(snapshot, nodes=nodes)

    return Samples(changed(found.first), changed(found.second))
