"""The device that keeps a node's CiliumInternalIP while no agent runs."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_DEVICE = "cilium_host"


def cilium_internal_ip(ipr: IPRoute) -> str | None:
    """The IPv4 address that the device has, as an agent restores it at its start.

    Args:
        ipr: An open rtnetlink socket.

    Returns:
        The address; ``None`` if there is no such device, or it has none.
    """
    for index in ipr.link_lookup(ifname=_DEVICE):
        for message in ipr.get_addr(family=socket.AF_INET, index=index):
            address: str = message.get_attr("IFA_ADDRESS")
            return address
    return None
