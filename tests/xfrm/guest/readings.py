"""Read this kernel's XFRM in every way, and hear it change; prints JSON."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

from runbooks.xfrm.model import Direction, Mark, XfrmTemplate, hash_key_bytes
from runbooks.xfrm.monitor import XfrmMonitor
from runbooks.xfrm.netlink import NewPolicy, NewState, XfrmError, XfrmSocket
from runbooks.xfrm.text import parse_policy_text, parse_state_text

KEY = bytes(range(20))
MARK = Mark(0x168D3E00, 0xFFFFFF00)
STATE = NewState("10.8.0.1", "10.8.0.2", 9, "rfc4106(gcm(aes))", KEY, 128, MARK)
POLICY = NewPolicy(
    "10.8.0.0/24",
    "10.9.0.0/24",
    Direction.OUT,
    priority=7,
    mark=MARK,
    template=XfrmTemplate("10.8.0.1", "10.8.0.2", 9, 1),
)
SHORT_LIVED = [
    "state",
    "add",
    "src",
    "10.8.0.5",
    "dst",
    "10.8.0.6",
    "proto",
    "esp",
    "spi",
    "5",
    "mode",
    "tunnel",
    "limit",
    "time-hard",
    "1",
    "aead",
    "rfc4106(gcm(aes))",
]
SHORT_LIVED += ["0x" + "00" * 20, "128"]


def printed(*words: str) -> str:
    argv = ["ip", "-s", "xfrm", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def news(xfrm: XfrmSocket) -> list[tuple[str, str, bool | None]]:
    """What is heard of a state's life, and a policy's."""
    with XfrmMonitor() as monitor:
        xfrm.add_state(STATE)
        output_mark = Mark(0xE00, 0xFFFFFF00)
        xfrm.update_state(replace(STATE, key=bytes(20), output_mark=output_mark))
        found = xfrm.state("10.8.0.2", 9, MARK)
        assert (found.mark, found.output_mark) == (MARK, output_mark)
        assert found.key_hash == hash_key_bytes(KEY)
        xfrm.delete_state("10.8.0.2", 9, MARK)
        xfrm.add_policy(POLICY)
        xfrm.update_policy(POLICY)
        xfrm.delete_policy(POLICY)
        printed(*SHORT_LIVED)
        heard = []
        for event in monitor.events():
            heard.append(event)
            if event.hard:
                break
        xfrm.flush_states()
        xfrm.flush_policies()
        heard += monitor.events(within_s=2)
    return [
        (event.kind, (event.state or event.policy or STATE).destination, event.hard)
        for event in heard
    ]


with XfrmSocket() as xfrm:
    states, policies = xfrm.states(), xfrm.policies()
    by_columns = xfrm.state_columns().to_states()
    by_text = parse_state_text(printed("state"))
    assert by_columns == states
    assert [replace(state, dir=None) for state in states] == [
        replace(state, dir=None) for state in by_text
    ], (states, by_text)
    assert policies == parse_policy_text(printed("policy"))
    heard = news(xfrm)
    try:
        xfrm.state("10.8.0.2", 9, MARK)
    except XfrmError as error:
        missing = error.errno
    said = {
        "algorithms": [state.algorithm for state in states],
        "windows": [state.replay_window for state in states],
        "policies": len(policies),
        "heard": heard,
        "missing": missing,
    }
print(json.dumps(said))
