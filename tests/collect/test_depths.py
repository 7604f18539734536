"""How much a check reads of clusters of several sizes, and what it finds so."""

import numpy as np
import pytest

from runbooks.collect import depths
from runbooks.collect.agent_exec import ExecRefusedError
from runbooks.collect.depths import read_for_check
from runbooks.collect.errors import NotPermittedError
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Depth
from runbooks.report.json import as_data
from runbooks.report.text import to_text
from runbooks.xfrm.compact import IN, OUT
from tests.collect.made_up import HANGS, SPI, MadeUpCluster, towards

LARGE = 64


@pytest.fixture
def check(monkeypatch):
    """Reads a cluster, and diagnoses it."""

    def run(cluster, *, audit=False):
        reader = cluster.reader(monkeypatch)
        samples = read_for_check(reader, interval_s=0, audit=audit)
        return diagnose(samples, audit=audit)

    return run


@pytest.fixture
def cluster():
    """One so large that its audit is not cheap."""
    return MadeUpCluster(LARGE)


@pytest.fixture(params=["objects", "columns"])
def form(request, monkeypatch):
    """The form that states have in between: it makes no difference."""
    if request.param == "columns":
        monkeypatch.setattr(depths, "MOST_OBJECTS", 10)


def asked(cluster, kind, sample=None):
    return sorted(n for n, k, s in cluster.asked if k == kind and sample in {None, s})


def first_looks(cluster, count):
    """The nodes whose states were read first."""
    names = [name for name, kind, _ in cluster.asked if kind == "compact"]
    return set(names[:count])


def pairs(diagnosis, code="stale-xfrm-state"):
    return {(f.source, f.destination) for f in diagnosis.findings if f.code == code}


def stale(cluster, source, destination, *, refused=0):
    """Let a source have made its outbound state anew, an hour later."""

    def remake(rows):
        made = towards(rows, cluster.position(destination))
        rows["added_s"][made] += 3600
        rows["oseq"][made & (rows["direction"] == OUT)] = 7
        return rows

    cluster.nodes[source].change = remake
    if refused:

        def refuse(rows):
            theirs = towards(rows, cluster.position(source), IN)
            rows["failed"][theirs] = refused
            return rows

        cluster.nodes[destination].change = refuse


@pytest.mark.parametrize("size", [1, 3, 16, 40])
def test_small_cluster_is_always_audited(check, size):
    cluster = MadeUpCluster(size)

    diagnosis = check(cluster)

    assert diagnosis.depth is Depth.AUDIT
    assert diagnosis.exit_code == 0
    assert asked(cluster, "compact", "first") == sorted(cluster.nodes)
    moved = [sum(of_node) for of_node in cluster.moved["compact"].values()]
    assert sum(moved) < depths.CHEAP_AUDIT_BYTES
    # Up to 16 nodes nobody has to be asked how many states there are.
    assert bool(asked(cluster, "brief")) == (size > 16)


def test_small_cluster_of_a_large_mesh_is_asked_first(check):
    cluster = MadeUpCluster(3, cluster_id="7")

    assert check(cluster).depth is Depth.AUDIT
    assert asked(cluster, "brief", "first") == sorted(cluster.nodes)


@pytest.mark.parametrize("size", [LARGE, 1000])
def test_healthy_node_costs_2_kb_however_many_peers_it_has(check, size):
    cluster = MadeUpCluster(size)

    diagnosis = check(cluster)

    assert (diagnosis.depth, diagnosis.exit_code) == (Depth.DEFAULT, 0)
    assert len(diagnosis.nodes) == size
    assert all(node.read for node in diagnosis.nodes)
    assert asked(cluster, "compact") == []
    assert asked(cluster, "brief", "first") == sorted(cluster.nodes)
    assert asked(cluster, "brief", "second") == sorted(cluster.nodes)
    for moved in cluster.moved["brief"].values():
        assert len(moved) == 2
        assert sum(moved) <= 2048


def test_audit_moves_at_most_100_bytes_per_state(check, cluster):
    diagnosis = check(cluster, audit=True)

    assert (diagnosis.depth, diagnosis.exit_code) == (Depth.AUDIT, 0)
    assert asked(cluster, "brief") == []
    for moved in cluster.moved["compact"].values():
        assert len(moved) == 2
        assert max(moved) <= 100 * 2 * (LARGE - 1)


def test_report_says_what_was_not_compared(check, cluster):
    diagnosis = check(cluster)

    assert as_data(diagnosis)["depth"] == "default"
    assert "--audit compares all" in to_text(diagnosis)
    assert "Both ends of every tunnel" not in to_text(diagnosis)


@pytest.mark.usefixtures("form")
def test_busy_stale_pair_is_found_through_what_its_receiver_refused(check, cluster):
    stale(cluster, "n7", "n9", refused=12)
    # Nothing but what the receiver refused shows.
    cluster.nodes["n9"].rising = {"XfrmInStateProtoError": 3}

    diagnosis = check(cluster)

    assert pairs(diagnosis) == {("n7", "n9")}
    assert {f.code for f in diagnosis.findings} == {"stale-xfrm-state"}
    assert diagnosis.depth is Depth.DEFAULT
    # All states of those that show something, and their peers' for them.
    moved = cluster.moved["compact"]
    assert first_looks(cluster, 2) == {"n7", "n9"}
    assert min(moved["n7"][0], moved["n9"][0]) > 50 * 2 * (LARGE - 1)
    assert max(moved["n20"]) < 1_500


@pytest.mark.usefixtures("form")
def test_idle_stale_pair_is_found_through_its_young_states(check, cluster):
    stale(cluster, "n7", "n9")

    diagnosis = check(cluster)

    assert pairs(diagnosis) == {("n7", "n9")}
    assert all(node.read for node in diagnosis.nodes)


def test_idle_stale_pair_that_shows_nothing_needs_an_audit(check, cluster):
    def reset(rows):
        rows["oseq"][towards(rows, cluster.position("n9"), OUT)] = 7
        return rows

    cluster.nodes["n7"].change = reset

    assert check(cluster).exit_code == 0
    assert pairs(check(cluster, audit=True)) == {("n7", "n9")}


@pytest.mark.usefixtures("form")
def test_node_that_lacks_a_peer_is_found(check, cluster):
    def lose(rows):
        return rows[~towards(rows, cluster.position("n9"))]

    cluster.nodes["n7"].change = lose

    diagnosis = check(cluster)

    code = "missing-xfrm-state"
    assert pairs(diagnosis, code) == {("n7", "n9"), ("n9", "n7")}
    assert {f.code for f in diagnosis.findings} == {code}


def test_cluster_without_any_states_is_not_healthy(check, cluster):
    for node in cluster.nodes.values():
        node.change = lambda rows: rows[:0]

    diagnosis = check(cluster)

    assert diagnosis.exit_code == 1
    assert {f.code for f in diagnosis.findings} == {"missing-xfrm-state"}


def test_peer_that_all_nodes_lack_is_found(check, cluster):
    position = cluster.position("n9")

    def forget(rows):
        return rows[~towards(rows, position)]

    for name, node in cluster.nodes.items():
        node.change = (lambda rows: rows[:0]) if name == "n9" else forget

    assert len(pairs(check(cluster), "missing-xfrm-state")) == 2 * (LARGE - 1)


def test_node_with_another_key_id_is_looked_at(check, cluster):
    def rename(rows):
        rows["spi"] = 4
        return rows

    cluster.nodes["n7"].change = rename

    diagnosis = check(cluster)

    assert first_looks(cluster, 1) == {"n7"}
    assert "rotation-in-progress" in {f.code for f in diagnosis.findings}


def test_rotation_is_told_from_sums_alone(check, cluster):
    def rotate(rows):
        new = rows.copy()
        new["spi"], new["seq"], new["oseq"] = SPI + 1, 0, 0
        new["added_s"] += 80_000
        return np.concatenate([rows, new])

    for node in cluster.nodes.values():
        node.change = rotate

    diagnosis = check(cluster)

    assert asked(cluster, "compact") == []
    assert diagnosis.verdict == "rotating"
    (finding,) = diagnosis.findings
    assert finding.evidence["nodes_by_spi"] == {"3": LARGE, "4": LARGE}


def test_numbers_that_run_out_are_found(check, cluster):
    def use_up(rows):
        rows["esn"] = 0
        rows["oseq"][towards(rows, cluster.position("n9"), OUT)] = int(0.8 * 2**32)
        return rows

    cluster.nodes["n7"].change = use_up

    assert pairs(check(cluster), "sequence-exhaustion") == {("n7", "n9")}


def test_rising_errors_are_counted_over_both_depths(check, cluster):
    cluster.nodes["n7"].rising = {"XfrmInNoStates": 2}

    (finding,) = check(cluster).findings

    assert (finding.code, finding.node) == ("xfrm-errors-rising", "n7")
    # It rose between each of four looks.
    assert finding.evidence["deltas"] == {"XfrmInNoStates": 6}
    assert set(asked(cluster, "compact")) == set(cluster.nodes)


def test_errors_that_no_state_explains_are_no_reason_for_a_closer_look(check, cluster):
    cluster.nodes["n7"].rising = {"XfrmFwdHdrError": 2}

    assert check(cluster).exit_code == 0
    assert asked(cluster, "compact") == []


def test_counter_that_this_release_does_not_know_may_rise_from_zero(check, cluster):
    cluster.nodes["n7"].rising = {"XfrmInFromTheFuture": 1}

    (finding,) = check(cluster).findings

    assert finding.evidence["deltas"] == {"XfrmInFromTheFuture": 3}


def test_node_that_joined_explains_the_young_states_of_its_peers(check, cluster):
    position = cluster.position("n50")

    def join(rows):
        rows["added_s"] += 3600
        return rows

    def learn(rows):
        rows["added_s"][towards(rows, position)] += 3603
        return rows

    for name, node in cluster.nodes.items():
        node.change = join if name == "n50" else learn

    assert check(cluster).exit_code == 0
    assert asked(cluster, "compact") == []


@pytest.mark.usefixtures("form")
def test_node_that_made_all_its_states_anew_unnoticed_is_looked_at(check, cluster):
    def remake(rows):
        rows["added_s"] += 3600
        rows["oseq"] = 0
        return rows

    cluster.nodes["n50"].change = remake

    diagnosis = check(cluster)

    assert {source for source, _ in pairs(diagnosis)} == {"n50"}
    assert len(pairs(diagnosis)) == LARGE - 1


def test_clocks_that_differ_are_no_sign(check, cluster):
    cluster.nodes["n50"].ahead_s = 7200

    assert check(cluster).exit_code == 0
    assert asked(cluster, "compact") == []


def test_hanging_pod_hides_no_other_and_is_not_waited_for_twice(check, cluster):
    cluster.nodes["n50"].error = HANGS
    stale(cluster, "n7", "n9", refused=12)

    diagnosis = check(cluster)

    assert pairs(diagnosis) == {("n7", "n9")}
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n50"]
    assert any("n50: not read, no answer" in s for s in diagnosis.incomplete)
    assert asked(cluster, "compact").count("n50") == 0


@pytest.mark.parametrize("size", [3, 40, LARGE])
def test_missing_right_is_named_once_where_no_pod_may_be_entered(check, size):
    cluster = MadeUpCluster(size)
    for node in cluster.nodes.values():
        node.error = ExecRefusedError("get on pods/exec", "kube-system")

    with pytest.raises(NotPermittedError, match="right to get on pods/exec in names"):
        check(cluster)


@pytest.mark.parametrize("size", [3, 40, LARGE])
def test_pod_that_may_not_be_entered_hides_no_other(check, size):
    cluster = MadeUpCluster(size)
    cluster.nodes["n2"].error = ExecRefusedError("get on pods/exec", "kube-system")

    diagnosis = check(cluster)

    assert (diagnosis.verdict, diagnosis.exit_code) == ("unknown", 3)
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n2"]
    assert any("get on pods/exec" in sentence for sentence in diagnosis.incomplete)
    assert [name for name, _, _ in cluster.asked].count("n2") == 1


def test_unread_node_in_a_healthy_cluster_is_an_unknown_verdict(check, cluster):
    cluster.nodes["n50"].error = HANGS

    diagnosis = check(cluster)

    assert (diagnosis.verdict, diagnosis.exit_code) == ("unknown", 3)
    assert asked(cluster, "compact") == []


def test_node_whose_sums_can_not_be_read_is_read_whole(check, cluster):
    cluster.nodes["n7"].garbled = True

    diagnosis = check(cluster)

    assert diagnosis.exit_code == 0
    assert first_looks(cluster, 1) == {"n7"}


def test_close_look_that_fails_leaves_its_node_unread(check, cluster, monkeypatch):
    cluster.nodes["n7"].rising = {"XfrmInNoStates": 2}
    ask = cluster.ask

    def fail(name, text, arguments):
        if name == "n7" and ("n7", "brief", "second") in cluster.asked:
            raise HANGS
        return ask(name, text, arguments)

    monkeypatch.setattr(cluster, "ask", fail)

    diagnosis = check(cluster)

    assert [n.name for n in diagnosis.nodes if not n.read] == ["n7"]
    assert diagnosis.exit_code in {1, 3}


def test_many_nodes_that_show_something_are_an_audit(check, cluster):
    for number in range(1, 40):
        cluster.nodes[f"n{number}"].rising = {"XfrmInNoStates": 1}
    cluster.nodes["n50"].error = HANGS

    diagnosis = check(cluster)

    assert diagnosis.depth is Depth.AUDIT
    assert len(asked(cluster, "compact", "first")) == LARGE - 1
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n50"]
    assert any("n50: not read, no answer" in s for s in diagnosis.incomplete)


def test_first_sample_ends_before_the_second_begins(check, cluster):
    stale(cluster, "n7", "n9", refused=12)
    check(cluster)

    of_states = [s for _, kind, s in cluster.asked if kind == "compact"]
    assert of_states == ["first"] * LARGE + ["second"] * LARGE
