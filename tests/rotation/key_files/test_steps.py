"""A whole rotation without a Secret, and every way to be interrupted."""

import json
from dataclasses import asdict, replace

import pytest

from runbooks.rotation import spread, steps
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.errors import LockLostError, RefusedError, RotationError
from runbooks.rotation.key_files import steps as in_files
from runbooks.rotation.key_files.node import NodeError
from runbooks.rotation.lease_record import recorded, require_record
from runbooks.rotation.lock import Holder, Lock
from runbooks.rotation.objects import Target
from runbooks.rotation.session import Session
from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import KEY_HEX, key_line
from tests.rotation.key_files.conftest import Host

ME = Holder("me@here:1", "")


@pytest.fixture
def hosts(fleet, tmp_path):
    """A host for every node, under another name; its file is the agent's."""
    fleet.keep_keys_in_files()
    made = [Host(tmp_path, f"host{number}") for number in (1, 2, 3)]
    for host, node in zip(made, fleet.nodes.values(), strict=True):
        node.key_file = host.path
        host.boot_id = node.boot_id
    return made


@pytest.fixture
def session(api, reader, lines):
    target = Target(kubeconfig=str(api.kubeconfig), key_files=True)
    return Session(Cluster.connect(target), reader, lines.append)


@pytest.fixture
def lock(session, hosts):  # noqa: ARG001 - the Secret goes first
    lock = Lock(session.cluster, ME, 60)
    lock.acquire()
    return lock


def look(hosts, **options):
    """All files; the boot IDs of the shells are all this machine's."""
    return [replace(host.look(**options), boot_id=host.boot_id) for host in hosts]


def begin(session, hosts, key_id=3, **options):
    files = [host.look(clean=True) for host in hosts]
    # As Ansible passes it on.
    return json.loads(
        json.dumps(in_files.begin(session, files, key_id, ME.name, **options))
    )


def write(told, hosts, stop_after=None, **options):
    """The loop; ``stop_after`` is a kill after so many turns."""
    hand = in_files.Hand(told["to_key_id"], **options)
    by_name = {host.name: host for host in hosts}
    turns = [in_files.turn_of(item) for item in told["turns"]]
    return [
        hand.serve(turn, by_name[turn.seen.host].shell) for turn in turns[:stop_after]
    ]


def key_ids(hosts):
    return [parse_key(host.path.read_text()).key_id for host in hosts]


def one_line(hosts):
    (line,) = {host.path.read_text() for host in hosts}
    return line


def test_rotation_ends_with_one_new_key_everywhere(session, fleet, hosts, lock):
    before = steps.preflight(session, key_files=look(hosts))
    assert before["summary"][0].startswith("Ready to go from key ID 3 to 4")
    told = begin(session, hosts, before["key_id"])
    assert all(result["changed"] for result in write(told, hosts))
    assert key_line(4)[:20] == one_line(hosts)[:20]
    assert KEY_HEX not in one_line(hosts)
    spread.propagate(session, 4, 5, 0.01)
    lock.renew()
    spread.reclaim(session, 4, 5, 0.01)
    done = in_files.finish(session, look(hosts), ME.name)
    assert done["finished_at"]
    assert lock.release()
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
    assert recorded(session.cluster, session.brief).finished_at == done["finished_at"]
    again = steps.preflight(session, key_files=look(hosts))
    assert (again["key_id"], again["resumes"]) == (4, None)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_run_killed_between_two_nodes_is_gone_on_with(session, hosts, lock, turns):
    told = begin(session, hosts)
    write(told, hosts, stop_after=turns)
    line = hosts[0].path.read_text()
    before = steps.preflight(session, key_files=look(hosts))
    assert before["resumes"]["rotation_id"] == told["rotation_id"]
    assert (before["key_id"], before["next_key_id"]) == (3, 4)
    # Another order of the inventory is none of the key's business.
    again = begin(session, hosts[::-1])
    assert again["rotation_id"] == told["rotation_id"]
    assert not any(result["problem"] for result in write(again, hosts))
    assert one_line(hosts) == line
    assert lock.release()


def test_run_killed_before_the_first_write_has_drawn_nothing(session, hosts, lock):
    told = begin(session, hosts)
    assert steps.preflight(session, key_files=look(hosts))["resumes"] is None
    again = begin(session, hosts)
    assert again["rotation_id"] != told["rotation_id"]
    write(again, hosts)
    assert one_line(hosts).startswith("4+ ")
    assert lock.release()


def test_run_killed_while_the_first_file_is_put_in_place_has_drawn_nothing(
    session, hosts, lock
):
    told = begin(session, hosts)

    def killed(text, given):
        if given.startswith(b"commit"):
            raise KeyboardInterrupt
        return hosts[0].shell(text, given)

    hand = in_files.Hand(4)
    with pytest.raises(KeyboardInterrupt):
        hand.serve(in_files.turn_of(told["turns"][0]), killed)
    (left,) = hosts[0].beside
    drawn = (hosts[0].folder / left).read_text()
    write(begin(session, hosts), hosts)
    assert hosts[0].beside == []
    assert one_line(hosts) != drawn
    assert lock.release()


def test_key_is_taken_from_another_node_where_the_first_does_not_answer(
    session, hosts, lock
):
    told = begin(session, hosts)
    write(told, hosts, stop_after=2)
    line = hosts[0].path.read_text()
    again = begin(session, hosts)

    def gone(_text, _given):
        raise NodeError("no route to host")

    hosts[0].shell = gone
    results = write(again, hosts)
    assert [result["problem"] for result in results] == ["no route to host", "", ""]
    assert hosts[2].path.read_text() == line
    assert lock.release()


def test_no_second_key_is_drawn_where_no_node_can_be_asked(session, hosts, lock):
    write(begin(session, hosts), hosts, stop_after=1)
    again = begin(session, hosts)

    def gone(_text, _given):
        raise NodeError("no route to host")

    hosts[0].shell = gone
    results = write(again, hosts)
    assert "no host that has the new key" in results[1]["problem"]
    assert key_ids(hosts) == [4, 3, 3]
    assert lock.release()


def test_node_that_can_t_be_written_leaves_the_others_their_turns(session, hosts, lock):
    told = begin(session, hosts)

    def gone(_text, _given):
        raise NodeError("no route to host")

    hosts[0].shell = gone
    results = write(told, hosts)
    assert [result["problem"] for result in results] == ["no route to host", "", ""]
    assert key_ids(hosts) == [3, 4, 4]
    assert hosts[1].path.read_text() == hosts[2].path.read_text()
    assert lock.release()


def test_change_by_somebody_else_ends_the_writing(session, hosts, lock):
    told = begin(session, hosts)
    hosts[1].path.write_text(key_line(9))
    results = write(told, hosts)
    assert "somebody else changed" in results[1]["problem"]
    assert results[2]["problem"].startswith("not tried, since on host2 somebody else")
    assert key_ids(hosts) == [4, 9, 3]
    assert lock.release()


def test_plus_is_set_where_it_is_asked_for(session, hosts, lock):
    for host in hosts:
        host.path.write_text(key_line(15, plus=""))
    told = begin(session, hosts, 15)
    write(told, hosts, per_tunnel=True)
    assert one_line(hosts).startswith("1+ ")
    assert lock.release()


def test_check_mode_writes_no_record(session, hosts, lock):
    assert begin(session, hosts, dry=True)["to_key_id"] == 4
    assert recorded(session.cluster, session.brief) is None
    assert lock.release()


def test_key_that_changed_since_the_preflight_is_refused(session, hosts, lock):
    for host in hosts:
        host.path.write_text(key_line(7))
    with pytest.raises(RefusedError, match="went from key ID 3 to 7"):
        begin(session, hosts)
    assert lock.release()


def test_files_that_something_wrote_again_are_not_called_finished(session, hosts, lock):
    write(begin(session, hosts), hosts)
    hosts[1].path.write_text(key_line(3))
    with pytest.raises(RefusedError, match="no longer hold key ID 4 on host2"):
        in_files.finish(session, look(hosts), ME.name)
    before = steps.preflight(session, key_files=look(hosts))
    assert before["resumes"]
    assert lock.release()


def test_record_is_written_by_who_holds_the_lock_only(session, hosts, lock):
    files = [host.look() for host in hosts]
    with pytest.raises(LockLostError):
        in_files.begin(session, files, 3, "other@there:2")
    assert lock.release()


def test_record_survives_whoever_takes_the_lock_next(session, hosts, lock):
    told = begin(session, hosts)
    assert lock.release()
    other = Lock(session.cluster, Holder("other@there:2", ""), 60)
    other.acquire()
    record = recorded(session.cluster, session.brief)
    assert asdict(record)["rotation_id"] == told["rotation_id"]
    assert other.release()


def test_lease_that_tells_of_something_else_ends_the_wait(session, hosts, lock):
    begin(session, hosts)
    require_record(session.cluster, 4)
    with pytest.raises(RotationError, match="no longer tells of the rotation to key"):
        spread.propagate(session, 5, 5, 0.01)
    assert lock.release()


def test_key_files_and_kernels_that_disagree_are_refused(session, fleet, hosts):
    for host, node in zip(hosts, fleet.nodes.values(), strict=True):
        host.path.write_text(key_line(7))
        node.stuck = True
    with pytest.raises(RefusedError, match="The key files hold key ID 7, but every"):
        steps.preflight(session, key_files=look(hosts))


def test_node_without_a_host_is_refused(session, hosts):
    with pytest.raises(RefusedError, match="stands for node node3"):
        steps.preflight(session, key_files=look(hosts[:2]))
