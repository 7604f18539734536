"""The log of an agent's pod is that of the agent that runs, as kubelet has it."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from runbooks.lab.guest import daemon, processes
from runbooks.lab.guest.daemon import Daemon


class Printing:
    """Starts programs that write a line into their log and end when told to."""

    def __init__(self):
        self.started = 0

    def start(self, _name, _argv, descriptors):
        self.started += 1
        stdin, stdout, stderr = descriptors
        script = f"echo agent {self.started} >&2; echo ready; exec sleep 60"
        return subprocess.Popen(
            ["sh", "-c", script], stdin=stdin, stdout=stdout, stderr=stderr
        ).pid


@pytest.fixture
def node(tmp_path, monkeypatch):
    for module in (daemon, processes):
        monkeypatch.setattr(module, "AGENT_LOG", tmp_path / "agent.log")
        monkeypatch.setattr(module, "PREVIOUS_LOG", tmp_path / "before.log")
    return Daemon({"agent_config": "config.json"}, Printing())


async def ask(node, operation, **request):
    return await node._operations[operation](request, None, None)


async def restart(node):
    """Start the agent, wait until it is ready, and stop it."""
    before = node._agent.version
    await ask(node, "agent", action="start", flags=[])
    while not node._agent.status()["ready"]:
        await node._agent.changed(before)
        before = node._agent.version
    await ask(node, "agent", action="stop", signal="KILL")


def test_log_begins_with_the_agent_that_runs(node):
    async def course():
        await restart(node)
        first = await ask(node, "log")
        await restart(node)
        return first, await ask(node, "log"), await ask(node, "log", previous=True)

    first, second, previous = asyncio.run(course())
    assert (first, second) == ("agent 1\n", "agent 2\n")
    assert previous == first


def test_before_the_first_restart_there_is_no_log_of_an_agent_before(node):
    async def course():
        await restart(node)
        await ask(node, "log", previous=True)

    with pytest.raises(FileNotFoundError):
        asyncio.run(course())
