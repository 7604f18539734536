"""pyroute2's message framework, without the rest of pyroute2.

``import pyroute2.netlink`` first runs ``pyroute2/__init__.py``, which imports
every protocol that pyroute2 knows, and asyncio. In a lab's guest that takes 2 s
of each agent's start; the framework alone takes a fifth of it. So it is
loaded under a parent package that stands in for pyroute2 for that moment. What
was loaded is forgotten again: a program that imports pyroute2 later gets all of
it, whole, as its own copy.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def _load() -> tuple[Any, Any]:
    names = ("pyroute2.netlink", "pyroute2.netlink.exceptions")
    if "pyroute2" in sys.modules:  # Already paid for.
        return importlib.import_module(names[0]), importlib.import_module(names[1])
    spec = importlib.util.find_spec("pyroute2")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("No module named 'pyroute2'", name="pyroute2")
    stand_in = ModuleType("pyroute2")
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules["pyroute2"] = stand_in
    try:
        return importlib.import_module(names[0]), importlib.import_module(names[1])
    finally:
        for name in [*sys.modules]:
            if name == "pyroute2" or name.startswith("pyroute2."):
                del sys.modules[name]


_netlink, _exceptions = _load()

nla: Any = _netlink.nla
nla_string: Any = _netlink.nla_string
nlmsg: Any = _netlink.nlmsg
NetlinkDecodeError: type[Exception] = _exceptions.NetlinkDecodeError
