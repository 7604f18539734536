"""Entering pods of a real API server: refused, hanging, slow, gone."""

import asyncio
import itertools
import time

import pytest

from runbooks.collect import exec_socket
from runbooks.collect.agent_exec import NOT_RUN, AgentExec, ExecError, ExecRefusedError
from runbooks.collect.api import ClusterApi
from runbooks.lab.kubeapi import Fault, Identity, executable_not_found
from tests.rotation.api_server import Api
from tests.rotation.fleet import Fleet

POD = "cilium-aaaa1"


async def run(_pod, container, argv, io, _stdin, _tty):
    match argv:
        case ["say", *words]:
            await io.write_stdout(" ".join([container, *words]).encode())
            await io.write_stderr(b"complaint \xff")
            return 0
        case ["zeros", size]:
            for _ in range(int(size) // 65536):
                await io.write_stdout(bytes(65536))
            return 3
        case ["hang"]:
            await asyncio.Event().wait()
    raise executable_not_found(argv[0])


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


@pytest.fixture
def api(fleet):
    made = Api(fleet, run)
    yield made
    made.close()


@pytest.fixture
def agent(api):
    return AgentExec(ClusterApi.connect(api.kubeconfig).settings, "kube-system")


def test_command_gives_both_outputs_and_its_status(agent):
    ran = agent.run(POD, ["say", "a", "b"], 20)
    assert (ran.status, ran.out) == (0, "cilium-agent a b")
    assert ran.complaint == "complaint \N{REPLACEMENT CHARACTER}"


def test_much_output_arrives_whole(agent):
    ran = agent.run(POD, ["zeros", str(8 << 20)], 60)
    assert (ran.status, len(ran.out)) == (3, 8 << 20)


def test_command_that_is_missing_did_not_run(agent):
    ran = agent.run(POD, ["other"], 20)
    assert ran.status == NOT_RUN
    assert 'exec: "other": executable file not found' in ran.complaint


def test_command_that_does_not_end_is_given_up(agent):
    with pytest.raises(ExecError, match=r"no answer within 0.2 s from its agent"):
        agent.run(POD, ["hang"], 0.2)


def test_handshake_that_is_never_answered_is_given_up(agent, fleet, monkeypatch):
    monkeypatch.setattr(exec_socket, "HANDSHAKE_LIMIT_S", 0.2)
    fleet.faults.add(Fault(subresource="exec", hang=True))
    with pytest.raises(ExecError, match=r"no answer within 0.2 s from its agent"):
        agent.run(POD, ["say"], 60)


@pytest.mark.parametrize("jump_s", [-1e6, 1e6])
def test_clock_that_jumps_neither_ends_nor_prolongs_a_command(
    agent, monkeypatch, jump_s
):
    now = time.time()
    times = itertools.chain([now], itertools.repeat(now + jump_s))
    monkeypatch.setattr(time, "time", lambda: next(times))
    assert agent.run(POD, ["say"], 60).status == 0
    with pytest.raises(ExecError, match=r"no answer within 0.2 s"):
        agent.run(POD, ["hang"], 0.2)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"status": 404}, "its agent's pod is gone"),
        ({"status": 500}, "can't be entered: 500: a fault was asked for"),
        ({"drop": True}, "the connection to its agent broke"),
    ],
    ids=str,
)
def test_what_the_server_says_is_a_phrase(agent, fleet, fault, sentence):
    fleet.faults.add(Fault(subresource="exec", **fault))
    with pytest.raises(ExecError, match=sentence):
        agent.run(POD, ["say"], 20)


@pytest.mark.parametrize("verb", ["get", "create"])
def test_missing_right_is_named_by_its_verb(api, fleet, verb):
    rule = {"apiGroups": [""], "resources": ["pods/exec"]}
    kept = {"get": "create", "create": "get"}[verb]
    add_role(fleet.store, [rule | {"verbs": [kept]}])
    path = api.token_kubeconfig(Identity("alice", ("system:authenticated",)))
    agent = AgentExec(ClusterApi.connect(path).settings, "kube-system")
    with pytest.raises(ExecRefusedError) as error:
        agent.run(POD, ["say"], 20)
    assert error.value.needs == f"{verb} on pods/exec"


def add_role(store, rules):
    meta = {"name": "r", "namespace": "kube-system"}
    group = "rbac.authorization.k8s.io"
    made = {"apiVersion": f"{group}/v1", "metadata": meta}
    store.create(made | {"kind": "Role", "rules": rules})
    reference = {"apiGroup": group, "kind": "Role", "name": "r"}
    subjects = [{"kind": "User", "name": "alice"}]
    store.create(
        made | {"kind": "RoleBinding", "roleRef": reference, "subjects": subjects}
    )
