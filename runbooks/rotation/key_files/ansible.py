"""The steps as Ansible calls them where nodes get the key as a file.

The action plugins of ``playbooks/`` hold nothing but a name from this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from runbooks.rotation.ansible import key_id_diff, run_step, session_of
from runbooks.rotation.errors import RotationError
from runbooks.rotation.key_files import steps
from runbooks.rotation.key_files.node import look as look_at
from runbooks.rotation.key_files.node import looked_at
from runbooks.rotation.lock import Holder
from runbooks.rotation.memory import guard_memory

Options = Mapping[str, Any]
Result = dict[str, Any]

#: The key on its way through a loop, by the task's ID: the newest task's only.
_hands: dict[str, steps.Hand] = {}


def look(options: Options, **call: Any) -> Result:
    """Look at a host's key file; whatever is wrong with it is told, not raised."""
    path = options["path"]
    if not path.startswith("/") or "\n" in path:
        return {"failed": True, "msg": f"rotation_key_file is no absolute path: {path}"}
    clean = options["clean"] and not call["check_mode"]
    seen = look_at(call["shell"], options["host"], path, clean=clean)
    return {"changed": False, "key_file": asdict(seen)}


def begin(options: Options, **call: Any) -> Result:
    """Record the rotation, and say whose turn is when."""
    holder = Holder.of_process(call["controller_pid"])
    files = looked_at(options["key_files"])

    def put(session: Any) -> Result:
        result = steps.begin(
            session,
            files,
            options["expected_key_id"],
            holder.name,
            over=options["over"],
            dry=call["check_mode"],
        )
        if result["changed"]:
            diff = key_id_diff(result["from_key_id"], result["to_key_id"])
            result["diff"] = diff
        return result

    return run_step(options, call, put)


def write(options: Options, **call: Any) -> Result:
    """Give one host the new key, in its turn."""
    turn = steps.turn_of(options["turn"])
    if call["check_mode"]:
        return {"changed": not turn.has_key, "problem": ""}
    if turn.place == 0:
        guard_memory()
        _hands.clear()
        _hands[call["task_id"]] = steps.Hand(
            options["turn"]["key_id"],
            per_tunnel=options["per_tunnel_keys"],
            between=session_of(options, call).between,
        )
    hand = _hands.get(call["task_id"])
    if hand is None:
        problem = "the loop's turns came in another order, or in other processes"
        return {"changed": False, "problem": problem}
    try:
        result = hand.serve(turn, call["shell"])
    except RotationError as error:
        return {"changed": False, "failed": True, "msg": str(error)}
    finally:
        if turn.last:
            _hands.clear()
    host, problem = turn.seen.host, result["problem"]
    call["tell"](f"{host}: {problem or 'has the new key'}")
    return {**result, "problem": f"{host} ({problem})" if problem else ""}


def finish(options: Options, **call: Any) -> Result:
    """Mark the rotation as over."""
    if call["check_mode"]:
        return {"changed": True}
    holder = Holder.of_process(call["controller_pid"]).name
    files = looked_at(options["key_files"])
    return run_step(options, call, lambda at: steps.finish(at, files, holder))
