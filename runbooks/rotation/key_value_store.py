"""Whether the agents reach the key-value store that their leases live in.

An agent that is cut off can't renew its lease. When that has expired, its peers
forget the node, and a rotation would meet nodes that nobody knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbooks.rotation.waiting import persist

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbooks.collect.agent_exec import Ran
    from runbooks.rotation.session import Session

STATUS = ("cilium-dbg", "status", "-o", "json")


def stores_away(session: Session, config: Mapping[str, str]) -> dict[str, str]:
    """Ask every agent for its key-value store.

    Args:
        session: The run.
        config: ConfigMap ``cilium-config``.

    Returns:
        What an agent says of a store that is not well, by node. An agent that
        doesn't answer is left out: the check says that it can't be read.
    """
    if "kvstore" not in config.get("identity-allocation-mode", ""):
        return {}
    answers = persist(
        lambda: session.reader.run(STATUS), session.brief, what="the agents' status"
    )
    found = {node: why_away(ran) for node, ran in answers.items()}
    return {node: why for node, why in found.items() if why}


def why_away(ran: Ran) -> str:
    """What ``cilium-dbg status`` says of a store that isn't well; empty if it is."""
    try:
        status: Any = json.loads(ran.out)
        store = status["kvstore"]
        state = str(store["state"])
    except (ValueError, KeyError, TypeError):
        return ""
    # "Disabled" is what agents say that were started without a store.
    if state.lower() in {"ok", "disabled"}:
        return ""
    message = " ".join(str(store.get("msg") or "").split())
    return f"{state}: {message[:160]}" if message else state
