"""What ``ip xfrm state`` and ``ip xfrm policy`` print, read back.

With or without ``-s``, of iproute2 and kernels from legacy sequence numbers to
``dir`` lines (6.10 and later), plain or from a cilium-bugtool archive. Keys are
hashed as they are read. A dump that ends in the middle of an entry is an
error: half a state would look like one that lost its numbers.
"""

from runbooks.xfrm.text.lines import XfrmTextError
from runbooks.xfrm.text.policy import parse_policy_text
from runbooks.xfrm.text.states import parse_state_text

__all__ = ["XfrmTextError", "parse_policy_text", "parse_state_text"]
