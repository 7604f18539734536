"""Record both ends' counters of a lab while it breaks and is healed.

Run from the top of the repository, for example ``python
docs/pictures/record_counters.py kvstore-recreated``. It starts a lab of its own,
reads of its nodes what an administrator of a real cluster can read (``ip -s xfrm
state``, ``/proc/net/xfrm_stat`` and ``ipsec-runbooks check``), breaks it, rotates
the key with the playbook, and takes the lab down. Only numbers and findings are
kept, no keys.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.lab.client import LabClient

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = "pictures"
SOURCE, DESTINATION = "node1", "node2"
RECORDS = Path(__file__).parent / "recorded"
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"

#: The dump is cut to what is counted before it leaves the node: it holds keys.
READ = (
    "ip -s xfrm state | grep -E '^src|proto esp|mark|seq-hi'; "
    "grep -E 'XfrmInState(Proto|Seq)Error' /proc/net/xfrm_stat"
)
#: Ways into stale states, with the lab's mode.
SCENARIOS = {
    "kvstore-lease-expired": "kvstore",
    "kvstore-recreated": "kvstore",
    "ciliumnode-recreated": "crd",
}
ROTATE = "ansible-playbook rotate-ipsec-key.yml"
PAUSE_S = 0.5
#: How long each phase is shown.
HEALTHY_S, BROKEN_S, HEALED_S = 15.0, 20.0, 15.0


def lab(*arguments: str, check: bool = True) -> str:
    """Call the lab's command line."""
    verbs = 2 if arguments[0] == "traffic" else 1
    name = ("--name", LAB)
    command = ["ipsec-runbooks", "lab", *arguments[:verbs], *name, *arguments[verbs:]]
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def numbers(dump: str, direction: str, pair: tuple[str, str]) -> dict[str, int]:
    """Find a pair's sequence number by SPI in a dump of its states.

    Args:
        dump: What ``READ`` prints.
        direction: ``in`` or ``out``.
        pair: Source and destination address of the states.

    Returns:
        ``seq`` of inbound, ``oseq`` of outbound states, 64 bits, by SPI.
    """
    found = {}
    for state in re.split(r"(?m)^(?=src )", dump):
        address = re.match(r"src (\S+) dst (\S+)", state)
        spi = re.search(r"spi (0x[0-9a-f]+)", state)
        mark = re.search(r"\bmark (0x[0-9a-f]+)/", state)
        if address is None or spi is None or mark is None or address.groups() != pair:
            continue
        if (int(mark[1], 16) & 0xF00 == 0xD00) != (direction == "in"):
            continue
        name = "seq" if direction == "in" else "oseq"
        high = re.search(rf"\b{name}-hi (0x[0-9a-f]+)", state)
        low = re.search(rf"\b{name} (0x[0-9a-f]+)(?!.*\b{name} 0x)", state, re.DOTALL)
        assert high is not None
        assert low is not None
        found[str(int(spi[1], 16))] = (int(high[1], 16) << 32) + int(low[1], 16)
    return found


class Recorder:
    """Samples the lab in the background until told to stop."""

    def __init__(self, pair: tuple[str, str]) -> None:
        self.pair = pair
        self.client = LabClient(LAB)
        self.start_s = time.monotonic()
        self.samples: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.done = threading.Event()

    def now_s(self) -> float:
        """Seconds since the recording began."""
        return round(time.monotonic() - self.start_s, 2)

    def event(self, said: str) -> None:
        """Note what was said to happen now."""
        self.events.append({"t_s": self.now_s(), "said": said})

    def sample(self) -> None:
        """Read the receiver, then the sender, as a check must."""
        received = self.client.run(DESTINATION, ["sh", "-c", READ]).stdout
        sent = self.client.run(SOURCE, ["sh", "-c", READ]).stdout
        at_s = self.now_s()
        errors = re.search(r"XfrmInStateProtoError\s+(\d+)", received)
        assert errors is not None
        self.samples.append(
            {
                "t_s": at_s,
                "inbound": numbers(received, "in", self.pair),
                "outbound": numbers(sent, "out", self.pair),
                "proto_errors": int(errors[1]),
            }
        )

    def run(self) -> None:
        """Sample until done."""
        while not self.done.wait(PAUSE_S):
            self.sample()


@contextmanager
def recording(pair: tuple[str, str]) -> Iterator[Recorder]:
    """Record in the background for as long as the block lasts."""
    recorder = Recorder(pair)
    with ThreadPoolExecutor(1) as background:
        sampling = background.submit(recorder.run)
        try:
            yield recorder
        finally:
            recorder.done.set()
        sampling.result()


def address(node: str, env: dict[str, str]) -> str:
    """Ask the API for a node's CiliumInternalIP."""
    path = '{.spec.addresses[?(@.type=="CiliumInternalIP")].ip}'
    command = ["kubectl", "get", "ciliumnode", node, "-o", f"jsonpath={path}"]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=env
    ).stdout


def check(env: dict[str, str]) -> dict[str, Any]:
    """What a check of the cluster reports; its findings are no error here."""
    command = ["ipsec-runbooks", "check", "--output", "json"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def break_while_watched(recorder: Recorder, name: str) -> None:
    """Break the lab, and note each step as it says that it takes it."""
    command = ["ipsec-runbooks", "lab", "break", name]
    command += ["--name", LAB, "--node", DESTINATION]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as breaking:
        assert breaking.stdout is not None
        for line in breaking.stdout:
            recorder.event(line.strip())
    assert breaking.returncode == 0


def record(name: str, env: dict[str, str]) -> dict[str, Any]:
    """Let the story happen in a lab that is up, and record it.

    Args:
        name: The scenario.
        env: Environment with the lab's kubeconfig.

    Returns:
        What ``counters.py`` and ``pair_matrix.py`` draw.
    """
    pair = (address(SOURCE, env), address(DESTINATION, env))
    checks = {}
    lab("traffic", "start")
    with recording(pair) as recorder:
        time.sleep(HEALTHY_S)
        break_while_watched(recorder, name)
        time.sleep(BROKEN_S)
        checks["broken"] = check(env)
        recorder.event(ROTATE)
        subprocess.run(
            ROTATE.split(),
            cwd=PLAYBOOKS,
            env=env,
            check=True,
        )
        time.sleep(HEALED_S)
        checks["healed"] = check(env)
    return {
        "recorded": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "source": SOURCE,
        "destination": DESTINATION,
        "events": recorder.events,
        "samples": recorder.samples,
        "checks": checks,
    }


def main(name: str) -> None:
    """Record a scenario in a lab of its own, which is gone afterwards."""
    try:
        kubeconfig = re.search(
            r"KUBECONFIG=(\S+)", lab("up", "--mode", SCENARIOS[name])
        )
        assert kubeconfig is not None
        with tempfile.TemporaryDirectory() as reports:
            recorded = record(
                name, {**os.environ, "KUBECONFIG": kubeconfig[1], "PWD": reports}
            )
    finally:
        lab("down", check=False)
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{name}.json").write_text(
        json.dumps(recorded, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in SCENARIOS:
        main(sys.argv[1])
    else:
        sys.exit(f"usage: record_counters.py {{{'|'.join(SCENARIOS)}}}")
