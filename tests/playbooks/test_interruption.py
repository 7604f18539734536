"""A run is killed; another meets its lock, and the next one goes on."""

import base64
from pathlib import Path

import pytest

from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import KEY_HEX

WAITING = "waiting for node2 ("


def forms(key):
    """Every way in which a key, or the Secret that holds it, may be written."""
    yield from (key, key.hex().encode(), key.hex().upper().encode())
    yield base64.b64encode(key)
    for head in (b"3+", b"4+"):
        line = head + b" rfc4106(gcm(aes)) " + key.hex().encode()
        # What stands before the key is no secret, and the end may be cut.
        yield base64.b64encode(line)[32:72]


def leaks(keys, texts):
    return [
        where
        for where, text in texts
        if any(form in text for key in keys for form in forms(key))
    ]


def processes():
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield str(folder / name), (folder / name).read_bytes()
            except OSError:
                continue


def files(folder):
    for path in folder.rglob("*"):
        # The made-up kernels are the test's own.
        if path.is_file() and "nodes" not in path.relative_to(folder).parts:
            yield str(path), path.read_bytes()


@pytest.fixture
def keys_of(fleet):
    old = bytes.fromhex(KEY_HEX)
    return lambda: (old, parse_key(fleet.secret_line).key)


def test_leaks_would_be_found(fleet):
    key = bytes.fromhex(KEY_HEX)
    secret = fleet.secret["data"]["keys"].encode()
    for text in (key, KEY_HEX.encode(), base64.b64encode(key), b"x" + secret):
        assert leaks([key], [("there", text)]) == ["there"]


def test_killed_run_is_gone_on_with_and_no_key_is_seen(playbooks, fleet, keys_of):
    fleet.nodes["node2"].stuck = True
    first = playbooks.start("rotate-ipsec-key.yml", "-vvvv", "--diff")
    first.wait_for(WAITING)
    line = fleet.secret_line
    old, new = keys_of()
    assert old != new
    assert leaks((old, new), processes()) == []

    second = playbooks.rotate("-vvvv")
    assert second.status == 2
    assert f":{first.process.pid} holds Lease cilium-ipsec-rotation" in second.out
    assert fleet.secret_line == line

    first.kill()
    fleet.nodes["node2"].stuck = False
    third = playbooks.rotate("-vvvv", "--diff")
    assert third.status == 0, third.out
    assert "was interrupted. This run goes on with it" in third.out
    assert fleet.secret_line == line
    assert all(set(node.spis) == {4} for node in fleet.nodes.values())

    said = [("first", first.out), ("second", second.out), ("third", third.out)]
    assert leaks((old, new), [(who, text.encode()) for who, text in said]) == []
    assert leaks((old, new), files(playbooks.folder)) == []
