"""XFRM messages of netlink, declared with pyroute2's message framework.

Layouts, message types and attribute numbers are those of the kernel's
``include/uapi/linux/xfrm.h``. Nothing here knows what Cilium, or this project,
makes of them.
"""

from runbooks.xfrm.messages.attributes import SecretBytes
from runbooks.xfrm.messages.base import CheckedMessage, XfrmMessage
from runbooks.xfrm.messages.kinds import (
    MESSAGES,
    AcquireMessage,
    DefaultPolicyMessage,
    DumpMessage,
    FlushMessage,
    MappingMessage,
    PolicyCountMessage,
    PolicyExpireMessage,
    PolicyIdMessage,
    PolicyMessage,
    ReportMessage,
    StateCountMessage,
    StateEventMessage,
    StateExpireMessage,
    StateIdMessage,
    StateMessage,
    StateSpiMessage,
)

__all__ = [
    "MESSAGES",
    "AcquireMessage",
    "CheckedMessage",
    "DefaultPolicyMessage",
    "DumpMessage",
    "FlushMessage",
    "MappingMessage",
    "PolicyCountMessage",
    "PolicyExpireMessage",
    "PolicyIdMessage",
    "PolicyMessage",
    "ReportMessage",
    "SecretBytes",
    "StateCountMessage",
    "StateEventMessage",
    "StateExpireMessage",
    "StateIdMessage",
    "StateMessage",
    "StateSpiMessage",
    "XfrmMessage",
]
