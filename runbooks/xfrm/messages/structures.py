"""Structures of ``linux/xfrm.h`` that messages and attributes share.

Each is a tuple of field names and formats, as pyroute2's classes take them.
Integers are in host byte order but for SPI and ports; addresses are 16 bytes, of
which IPv4 uses the first four.
"""

from __future__ import annotations

import struct

SELECTOR_FIELDS = (  # struct xfrm_selector
    ("sel_daddr", "16s"),
    ("sel_saddr", "16s"),
    ("sel_dport", ">H"),
    ("sel_dport_mask", ">H"),
    ("sel_sport", ">H"),
    ("sel_sport_mask", ">H"),
    ("sel_family", "H"),
    ("sel_prefixlen_d", "B"),
    ("sel_prefixlen_s", "B"),
    ("sel_proto", "B"),
    ("sel_pad", "3x"),
    ("sel_ifindex", "i"),
    ("sel_user", "I"),
)

ID_FIELDS = (  # struct xfrm_id
    ("daddr", "16s"),
    ("spi", ">I"),
    ("proto", "B"),
    ("id_pad", "3x"),
)

LIFETIME_LIMIT_FIELDS = (  # struct xfrm_lifetime_cfg
    ("soft_byte_limit", "Q"),
    ("hard_byte_limit", "Q"),
    ("soft_packet_limit", "Q"),
    ("hard_packet_limit", "Q"),
    ("soft_add_expires_s", "Q"),
    ("hard_add_expires_s", "Q"),
    ("soft_use_expires_s", "Q"),
    ("hard_use_expires_s", "Q"),
)

LIFETIME_FIELDS = (  # struct xfrm_lifetime_cur
    ("bytes", "Q"),
    ("packets", "Q"),
    ("add_time_s", "Q"),
    ("use_time_s", "Q"),
)

STATE_FIELDS = (  # struct xfrm_usersa_info
    *SELECTOR_FIELDS,
    *ID_FIELDS,
    ("saddr", "16s"),
    *LIFETIME_LIMIT_FIELDS,
    *LIFETIME_FIELDS,
    ("replay_window_errors", "I"),  # struct xfrm_stats
    ("replay_errors", "I"),
    ("integrity_failed", "I"),
    ("acquire_seq", "I"),
    ("reqid", "I"),
    ("family", "H"),
    ("mode", "B"),
    ("replay_window", "B"),
    ("flags", "B"),
    ("info_pad", "7x"),
)

STATE_ID_FIELDS = (  # struct xfrm_usersa_id
    ("daddr", "16s"),
    ("spi", ">I"),
    ("family", "H"),
    ("proto", "B"),
    ("id_pad", "x"),
)

POLICY_FIELDS = (  # struct xfrm_userpolicy_info
    *SELECTOR_FIELDS,
    *LIFETIME_LIMIT_FIELDS,
    *LIFETIME_FIELDS,
    ("priority", "I"),
    ("index", "I"),
    ("dir", "B"),
    ("action", "B"),
    ("flags", "B"),
    ("share", "B"),
    ("info_pad", "4x"),
)

#: struct xfrm_user_tmpl: xfrm_id, family, source, reqid, mode, share, optional,
#: and three bit sets of algorithms.
TEMPLATE_LAYOUT = struct.Struct("=16s4sB3xH2x16sIBBBxIII")

#: struct xfrm_user_migrate: old and new destination and source, protocol, mode,
#: reserved, reqid, old and new family.
MIGRATION_LAYOUT = struct.Struct("=16s16s16s16sBBHIHH")
