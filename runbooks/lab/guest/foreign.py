"""States and policies of somebody else, as a VPN's daemon leaves them in a kernel.

``python -m runbooks.lab.guest.foreign add|delete``. The addresses are those that
documentation uses (RFC 5737), so no packet of the lab ever meets them. The keys are
drawn here and told to nobody.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import sys
from typing import TYPE_CHECKING

from runbooks.xfrm.model import Direction, Mark, XfrmTemplate
from runbooks.xfrm.netlink import NewPolicy, NewState, XfrmSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE, _THERE = "192.0.2.1", "198.51.100.1"
_NETWORK_HERE, _NETWORK_THERE = "192.0.2.0/24", "198.51.100.0/24"
_NO_MARK = Mark(0, 0)
#: A mark of somebody else's: no nibble in it that Cilium would set.
_OTHER_MARK = Mark(0x42, 0xFFFFFFFF)
_AEAD = "rfc4106(gcm(aes))"


def foreign_states() -> list[NewState]:
    """The states: with and without AEAD, mark and ESN, one with an SPI of Cilium's."""

    def aead(source: str, destination: str, spi: int, mark: Mark) -> NewState:
        return NewState(
            source=source,
            destination=destination,
            spi=spi,
            algorithm=_AEAD,
            key=secrets.token_bytes(20),
            icv_bits=128,
            mark=mark,
            reqid=7,
        )

    def two_algorithms(source: str, destination: str, spi: int) -> NewState:
        return NewState(
            source=source,
            destination=destination,
            spi=spi,
            algorithm="hmac(sha256)",
            key=secrets.token_bytes(32),
            icv_bits=128,
            encryption_algorithm="cbc(aes)",
            encryption_key=secrets.token_bytes(16),
            mark=_NO_MARK,
            esn=False,
            replay_window=32,
            reqid=8,
            mode="transport",
        )

    return [
        aead(_HERE, _THERE, 0xC1A2B3C4, _NO_MARK),
        aead(_THERE, _HERE, 3, _NO_MARK),
        aead(_HERE, _THERE, 0xC1A2B3C5, _OTHER_MARK),
        two_algorithms(_HERE, _THERE, 0xC1A2B3C6),
        two_algorithms(_THERE, _HERE, 0xC1A2B3C7),
    ]


def foreign_policies() -> list[NewPolicy]:
    """The policies: those of a tunnel, one with a mark, one that blocks."""
    out = XfrmTemplate(_HERE, _THERE, 0xC1A2B3C4, 7)
    back = XfrmTemplate(_THERE, _HERE, 0, 7)
    networks = (_NETWORK_HERE, _NETWORK_THERE)
    return [
        NewPolicy(*networks, Direction.OUT, priority=2000, template=out),
        NewPolicy(*networks[::-1], Direction.IN, priority=2000, template=back),
        NewPolicy(*networks[::-1], Direction.FWD, priority=2000, template=back),
        NewPolicy(*networks, Direction.OUT, mark=_OTHER_MARK, template=out),
        NewPolicy("203.0.113.0/24", _NETWORK_HERE, Direction.OUT, action="block"),
    ]


def add(xfrm: XfrmSocket) -> None:
    """Add all of them; those that are there stay.

    Raises:
        XfrmError: The kernel refused.
    """
    for state in foreign_states():
        with _expecting(errno.EEXIST):
            xfrm.add_state(state)
    for policy in foreign_policies():
        xfrm.update_policy(policy)


def delete(xfrm: XfrmSocket) -> None:
    """Delete exactly what :func:`add` adds, as far as it is there.

    Raises:
        XfrmError: The kernel refused.
    """
    for policy in foreign_policies():
        with _expecting(errno.ENOENT):
            xfrm.delete_policy(policy)
    for state in foreign_states():
        mark = None if state.mark == _NO_MARK else state.mark
        with _expecting(errno.ESRCH):
            xfrm.delete_state(state.destination, state.spi, mark)


@contextlib.contextmanager
def _expecting(number: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != number:
            raise


if __name__ == "__main__":
    with XfrmSocket() as socket:
        {"add": add, "delete": delete}[sys.argv[1]](socket)
