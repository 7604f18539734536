"""A run is killed; another meets its lock, and the next one goes on."""

import base64

import pytest

from runbooks.xfrm.keys import parse_key
from tests.playbooks.leaks import leaks, processes
from tests.rotation.fleet import KEY_HEX

WAITING = "waiting for node2 ("


@pytest.fixture
def keys_of(fleet):
    old = bytes.fromhex(KEY_HEX)
    return lambda: (old, parse_key(fleet.secret_line).key)


def test_leaks_would_be_found(fleet):
    key = bytes.fromhex(KEY_HEX)
    secret = fleet.secret["data"]["keys"].encode()
    digits = KEY_HEX.encode()
    encoded = [
        base64.b64encode(b"-" * shift + text + b"-")
        for text in (key, digits, digits.upper())
        for shift in range(3)
    ]
    plain = [key, digits, digits.upper(), str(key).encode(), base64.b64encode(key)]
    for text in (*plain, *encoded, secret):
        assert leaks([key], [("there", b"x" + text)]) == ["there"]
    assert leaks([key], [("there", bytes(100) + digits[:-1])]) == []


def test_killed_run_is_gone_on_with_and_no_key_is_seen(playbooks, fleet, keys_of):
    fleet.nodes["node2"].stuck = True
    # It waits on while the second one starts, however slow the machine is.
    patient = "-erotation_propagate_limit=900"
    first = playbooks.start("rotate-ipsec-key.yml", "-vvvv", "--diff", patient)
    first.wait_for(WAITING)
    line = fleet.secret_line
    old, new = keys_of()
    assert old != new
    assert leaks((old, new), processes()) == []

    second = playbooks.rotate("-vvvv")
    assert second.status == 2, second.out
    assert f":{first.process.pid} holds Lease cilium-ipsec-rotation" in second.out
    assert fleet.secret_line == line

    first.kill()
    fleet.nodes["node2"].stuck = False
    third = playbooks.rotate("-vvvv", "--diff")
    assert third.status == 0, third.out
    assert "was interrupted. This run goes on with it" in third.out
    assert fleet.secret_line == line
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())
