"""XFRM messages: requests, replies and news of the kernel."""

from __future__ import annotations

from runbooks.xfrm import uapi
from runbooks.xfrm.messages import attributes
from runbooks.xfrm.messages.base import CheckedMessage, XfrmMessage
from runbooks.xfrm.messages.structures import (
    ID_FIELDS,
    POLICY_FIELDS,
    SELECTOR_FIELDS,
    STATE_FIELDS,
    STATE_ID_FIELDS,
)


class StateMessage(XfrmMessage):
    """``struct xfrm_usersa_info``: NEWSA and UPDSA."""

    __slots__ = ()
    fields = STATE_FIELDS


class StateIdMessage(XfrmMessage):
    """``struct xfrm_usersa_id``: DELSA, and GETSA of one state."""

    __slots__ = ()
    fields = STATE_ID_FIELDS


class StateSpiMessage(XfrmMessage):
    """``struct xfrm_userspi_info``: ALLOCSPI."""

    __slots__ = ()
    fields = (*STATE_FIELDS, ("min", "I"), ("max", "I"))


class StateExpireMessage(XfrmMessage):
    """``struct xfrm_user_expire``: EXPIRE."""

    __slots__ = ()
    fields = (*STATE_FIELDS, ("hard", "B"), ("end_pad", "7x"))


class StateEventMessage(XfrmMessage):
    """``struct xfrm_aevent_id``: NEWAE, and GETAE of one state."""

    __slots__ = ()
    fields = (*STATE_ID_FIELDS, ("saddr", "16s"), ("flags", "I"), ("reqid", "I"))


class MappingMessage(XfrmMessage):
    """``struct xfrm_user_mapping``: a peer behind NAT has another address."""

    __slots__ = ()
    fields = (
        *STATE_ID_FIELDS,
        ("reqid", "I"),
        ("old_saddr", "16s"),
        ("new_saddr", "16s"),
        ("old_sport", ">H"),
        ("new_sport", ">H"),
    )


class PolicyMessage(XfrmMessage):
    """``struct xfrm_userpolicy_info``: NEWPOLICY and UPDPOLICY."""

    __slots__ = ()
    fields = POLICY_FIELDS


class PolicyIdMessage(XfrmMessage):
    """``struct xfrm_userpolicy_id``: DELPOLICY, MIGRATE, GETPOLICY of one policy."""

    __slots__ = ()
    fields = (*SELECTOR_FIELDS, ("index", "I"), ("dir", "B"), ("end_pad", "3x"))


class PolicyExpireMessage(XfrmMessage):
    """``struct xfrm_user_polexpire``: POLEXPIRE."""

    __slots__ = ()
    fields = (*POLICY_FIELDS, ("hard", "B"), ("end_pad", "7x"))


class AcquireMessage(XfrmMessage):
    """``struct xfrm_user_acquire``: a policy wants a state that is not there."""

    __slots__ = ()
    fields = (
        *ID_FIELDS,
        ("saddr", "16s"),
        *SELECTOR_FIELDS,
        *((f"policy_{name}", fmt) for name, fmt in POLICY_FIELDS),
        ("aalgos", "I"),
        ("ealgos", "I"),
        ("calgos", "I"),
        ("acquire_seq", "I"),
    )


class ReportMessage(XfrmMessage):
    """``struct xfrm_user_report``: REPORT."""

    __slots__ = ()
    fields = (("proto", "B"), ("pad", "3x"), *SELECTOR_FIELDS)


class FlushMessage(XfrmMessage):
    """``struct xfrm_usersa_flush``: FLUSHSA. FLUSHPOLICY has no body."""

    __slots__ = ()
    fields = (("proto", "B"),)


class DumpMessage(XfrmMessage):
    """A header alone: GETSA and GETPOLICY of everything, FLUSHPOLICY."""

    __slots__ = ()


class DefaultPolicyMessage(XfrmMessage):
    """``struct xfrm_userpolicy_default``: SETDEFAULT and GETDEFAULT."""

    __slots__ = ()
    fields = (("in", "B"), ("fwd", "B"), ("out", "B"))


class StateCountMessage(CheckedMessage):
    """NEWSADINFO: how many states there are."""

    __slots__ = ()
    fields = (("flags", "I"),)
    nla_map = ((1, "XFRMA_SAD_CNT", "uint32"), (2, "XFRMA_SAD_HINFO", "HashInfo"))
    HashInfo = attributes.HashInfo


class PolicyCountMessage(CheckedMessage):
    """NEWSPDINFO: how many policies there are."""

    __slots__ = ()
    fields = (("flags", "I"),)
    nla_map = (
        (1, "XFRMA_SPD_INFO", "PolicyCounts"),
        (2, "XFRMA_SPD_HINFO", "HashInfo"),
        (3, "XFRMA_SPD_IPV4_HTHRESH", "HashThreshold"),
        (4, "XFRMA_SPD_IPV6_HTHRESH", "HashThreshold"),
    )
    HashInfo = attributes.HashInfo
    HashThreshold = attributes.HashThreshold
    PolicyCounts = attributes.PolicyCounts


#: What the kernel sends, by type.
MESSAGES: dict[int, type[CheckedMessage]] = {
    uapi.XFRM_MSG_NEWSA: StateMessage,
    uapi.XFRM_MSG_UPDSA: StateMessage,
    uapi.XFRM_MSG_DELSA: StateIdMessage,
    uapi.XFRM_MSG_NEWPOLICY: PolicyMessage,
    uapi.XFRM_MSG_UPDPOLICY: PolicyMessage,
    uapi.XFRM_MSG_DELPOLICY: PolicyIdMessage,
    uapi.XFRM_MSG_ALLOCSPI: StateSpiMessage,
    uapi.XFRM_MSG_ACQUIRE: AcquireMessage,
    uapi.XFRM_MSG_EXPIRE: StateExpireMessage,
    uapi.XFRM_MSG_POLEXPIRE: PolicyExpireMessage,
    uapi.XFRM_MSG_FLUSHSA: FlushMessage,
    uapi.XFRM_MSG_FLUSHPOLICY: DumpMessage,
    uapi.XFRM_MSG_NEWAE: StateEventMessage,
    uapi.XFRM_MSG_REPORT: ReportMessage,
    uapi.XFRM_MSG_MIGRATE: PolicyIdMessage,
    uapi.XFRM_MSG_NEWSADINFO: StateCountMessage,
    uapi.XFRM_MSG_NEWSPDINFO: PolicyCountMessage,
    uapi.XFRM_MSG_MAPPING: MappingMessage,
    uapi.XFRM_MSG_GETDEFAULT: DefaultPolicyMessage,
}
