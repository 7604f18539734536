"""Scripts that run inside an agent's pod.

A pod has bash, coreutils, mawk, sed, grep and iproute2, and no Python. What a
script is put together from lies beside this file; comments stay here.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

#: Each script and the awk programs in its variables, by what they are called.
_AWK = {
    "brief": ("mark", "dump", "brief"),
    "compact": ("mark", "dump", "base64", "compact", "hashes", "policies", "led_to"),
}


@cache
def script(name: str) -> str:
    """Put a script together.

    Args:
        name: ``brief`` or ``compact``.

    Returns:
        The text of a bash script.
    """
    programs = [f"{awk}='\n{_source(f'{awk}.awk')}\n'" for awk in _AWK[name]]
    return "\n".join([_source("part.sh"), *programs, _source(f"{name}.sh")])


def _source(name: str) -> str:
    """A file without what only a reader needs."""
    lines = resources.files(__package__).joinpath(name).read_text().splitlines()
    stripped = [line.strip() for line in lines]
    kept = [line for line in stripped if line and not line.startswith("#")]
    text = "\n".join(kept)
    assert not (name.endswith(".awk") and "'" in text), f"{name} has a quote"
    return text
