"""States in columns: the same findings as with objects, whatever happened."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.diagnose import RULES, diagnose
from runbooks.diagnose.doubts import OF_RULE
from runbooks.diagnose.finding import Code
from tests.diagnose.cluster_builder import DAY, NOW, make_cluster
from tests.diagnose.compacted import as_columns, as_objects
from tests.diagnose.random_clusters import samples, with_real_hashes
from tests.diagnose.test_breaks import (
    exhausted,
    subnet_encryption,
    with_other_address,
    with_other_key,
)
from tests.diagnose.test_causes import lease_expired
from tests.diagnose.test_lease_expiring import down
from tests.diagnose.test_plaintext_fallback import without_block, without_policy
from tests.diagnose.test_rotation_stalled import missed


@settings(max_examples=200, deadline=None)
@given(samples(), st.sets(st.sampled_from(["node1", "node2", "node3"])))
def test_findings_over_columns_are_those_over_objects(read, left_as_objects):
    objects = as_objects(read)
    columns = as_columns(objects, left_as_objects)

    assert diagnose(columns, audit=True) == diagnose(objects, audit=True)


def test_ages_in_columns_are_compared_on_one_clock():
    cluster = make_cluster(3)
    cluster.clock_ahead_s = {"node2": -30}
    cluster.read_at = dict.fromkeys(cluster.names, float(NOW))
    cluster.renew("node2", "node1", NOW - DAY + 20)

    (finding,) = diagnose(as_columns(with_real_hashes(cluster.once()))).findings

    assert finding.code is Code.STALE_XFRM_STATE
    assert (finding.source, finding.destination) == ("node2", "node1")


def test_every_rule_says_what_makes_a_pair_doubtful():
    assert {rule.__name__ for rule in RULES} == set(OF_RULE)


#: Clusters that have a condition each.
CONDITIONS = {
    "missed rotation": lambda: missed(NOW - 400),
    "another address": lambda: with_other_address(make_cluster(3))[0],
    "another key": lambda: with_other_key(make_cluster(3, tunnel=True), "node2"),
    "no numbers left": lambda: exhausted(2**32 - 1)[0],
    "no block": lambda: without_block(make_cluster(3, dual=True).make_policies()),
    "no policy": lambda: without_policy(make_cluster(3).make_policies()),
    "agent down": lambda: down(400),
    "subnet encryption": lambda: subnet_encryption().break_node("node2"),
    "lease expired": lease_expired,
}


def with_hashes(cluster):
    for where, state in cluster.states.items():
        hashed = hashlib.sha256(state.key_hash.encode()).hexdigest()
        cluster.states[where] = replace(state, key_hash=hashed)
    return cluster


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_are_found_in_columns_as_in_objects(condition):
    read = as_objects(with_hashes(CONDITIONS[condition]()).twice())

    found = diagnose(as_columns(read), audit=True)

    assert found == diagnose(read, audit=True)
    assert found.alarming


def test_cut_off_node_is_found_in_columns():
    cluster = missed(NOW - 400)
    for peer in ("node1", "node3"):
        cluster.reclaim(peer, 3)
    read = as_objects(with_hashes(cluster).twice())

    found = diagnose(as_columns(read))

    assert found == diagnose(read)
    assert found.findings[0].evidence["cut_off_from"] == ["node1", "node3"]
