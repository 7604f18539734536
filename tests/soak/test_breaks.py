"""Every break by every way, again and again, through 30 s of packets."""

from __future__ import annotations

import contextlib
import os

import pytest

from runbooks.lab.breaks import BREAKS
from runbooks.lab.reading import wait_until
from tests.conftest import start_lab
from tests.lab.breaks.expected import matches
from tests.lab.breaks.signs import RATE, Signs, watch

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

TIMES = int(os.environ.get("SOAK_BREAKS", "2"))
NODE = "node2"
LONG_S = 30
#: A background sync ends this one; the others stand.
STANDS_S = {"state-deleted": 8}

LABS = {
    "kvstore native": ("--mode", "kvstore", "--datapath", "native"),
    "crd native": ("--mode", "crd", "--datapath", "native"),
    "crd tunnel": ("--mode", "crd", "--datapath", "tunnel"),
    "kvstore legacy": ("--mode", "kvstore", "--legacy-sa"),
    "crd legacy": ("--mode", "crd", "--legacy-sa"),
}


def cases():
    for kind, options in LABS.items():
        mode, shape = options[1], kind.split()[1]
        for name, found in BREAKS.items():
            if found.kind == "harmless" or mode not in found.modes:
                continue
            if found.legacy != (shape == "legacy") and found.kind != "stale":
                continue
            if name == "other-internal-ip" and shape == "tunnel":
                continue  # it is refused there
            for how in found.ways or ("",):
                yield pytest.param(kind, name, how, id=f"{kind} {name} {how}".strip())


@pytest.fixture(scope="module")
def lab_of():
    """Gives the lab of a kind, which takes the place of the one before it."""
    with contextlib.ExitStack() as present:
        labs = {}

        def give(kind):
            if kind not in labs:
                present.close()
                labs.clear()
                running = start_lab(f"breaks-{os.getpid()}", *LABS[kind])
                labs[kind] = present.enter_context(running)
            return labs[kind]

        yield give


@pytest.mark.parametrize(("kind", "name", "how"), [*cases()])
def test_a_break_stands_through_traffic_until_it_is_healed(lab_of, kind, name, how):
    running = lab_of(kind)
    legacy = "legacy" in kind
    client = running.client
    peers = [node.name for node in client.lab.nodes if node.name != NODE]
    options = ("--how", how) if how else ()
    for _ in range(TIMES):
        try:
            running.run("break", name, "--node", NODE, *options)
            seen = watch(client, STANDS_S.get(name, LONG_S) * RATE)
        finally:
            running.run("heal")
        if legacy and BREAKS[name].kind == "stale":
            assert seen == Signs()  # without a replay window numbers don't matter
        else:
            assert matches(seen, name, NODE, peers), seen
        assert watch(client) == Signs()


def test_a_store_made_anew_under_agents_that_run_on_breaks_nothing(lab_of):
    running = lab_of("kvstore native")

    def entries():
        get = ("cilium-dbg", "kvstore", "get", "--recursive", "cilium/state/nodes")
        return running.run("exec", "node1", "--", *get).stdout.count(" => ")

    assert entries() == 3
    running.client.ask("etcd", action="recreate")
    assert entries() < 3
    assert watch(running.client) == Signs()
    rewritten_s = 2 * running.client.lab.timings.rewrite_interval_s
    wait_until(lambda: entries() == 3, "entries were not written again", rewritten_s)
    assert watch(running.client) == Signs()
