"""pyroute2's message framework, without the rest of pyroute2.

The framework alone takes a fifth of the time of all of pyroute2. What was loaded is
forgotten again: a program that imports pyroute2 later gets all of it, whole, as its
own copy.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from runbooks.xfrm import bare_pyroute2


def _load() -> tuple[Any, Any]:
    names = ("pyroute2.netlink", "pyroute2.netlink.exceptions")
    if "pyroute2" in sys.modules:  # Already paid for.
        return importlib.import_module(names[0]), importlib.import_module(names[1])
    bare_pyroute2.stand_in()
    try:
        return importlib.import_module(names[0]), importlib.import_module(names[1])
    finally:
        bare_pyroute2.forget()


_netlink, _exceptions = _load()

nla: Any = _netlink.nla
nla_string: Any = _netlink.nla_string
nlmsg: Any = _netlink.nlmsg
NetlinkDecodeError: type[Exception] = _exceptions.NetlinkDecodeError
