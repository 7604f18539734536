"""Log lines in the form of cilium-agent's, so that they can be searched alike."""

from __future__ import annotations

import sys
import time

_QUOTED = frozenset(' ="')


def log(message: str, *, level: str = "info", module: str, **fields: object) -> None:
    """Write one line to standard error.

    Args:
        message: What happened, in cilium-agent's words.
        level: ``info``, ``warn`` or ``error``.
        module: cilium-agent's name of the part, without ``agent.``.
        **fields: Further fields, in order; never key material.
    """
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = f'time={stamp} level={level} msg="{message}" module={module}'
    for name, value in fields.items():
        word = str(value)
        if _QUOTED & set(word) or not word:
            word = '"' + word.replace('"', '\\"') + '"'
        text += f" {name}={word}"
    print(text, file=sys.stderr, flush=True)
