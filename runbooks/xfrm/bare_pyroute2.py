"""A package that stands in for pyroute2, so that parts of it load alone.

Importing any part of pyroute2 first runs ``pyroute2/__init__.py``, which imports
every protocol that it knows, and asyncio. In a lab's guest that takes 2 s.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def stand_in() -> None:
    """Put the stand-in where imports look, unless pyroute2 is there already.

    Raises:
        ModuleNotFoundError: pyroute2 is not installed.
    """
    if "pyroute2" in sys.modules:
        return
    spec = importlib.util.find_spec("pyroute2")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("No module named 'pyroute2'", name="pyroute2")
    bare = ModuleType("pyroute2")
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules["pyroute2"] = bare


def forget() -> None:
    """Take it away with what was loaded: a later import gets all of pyroute2."""
    for name in [*sys.modules]:
        if name == "pyroute2" or name.startswith("pyroute2."):
            del sys.modules[name]
