"""Numbered UDP packets between the nodes' pods, and what arrives of them.

Runs in the pod's network namespace. Every sender numbers its packets per
destination from 1; a receiver keeps a bit per number, so that loss, doubles and
order can be told apart from mere delay. A line of JSON in, a line out.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from typing import Any

from pyroute2 import netns

PORT = 4000
#: Nobody reads what arrives here: it is only to be decrypted.
_FLOOD_PORT = 4001
#: Name of the pod's network namespace.
POD = "pod"
#: Sequence number and a run ID that sets one measurement apart from the next.
_PACKET = struct.Struct("!QQ")
_NO_RUN = 0
_GSO_SEGMENTS = 64
_UDP_SEGMENT = 103
_SO_RCVBUFFORCE = 33
_TICK_S = 0.005
#: A flood rests this many times as long as it sends, and so long at least: the
#: node's one core has to decrypt what others send, and to run its agent.
_FLOOD_REST = 9
_FLOOD_REST_S = 0.01


class Sender:
    """Packets to one pod.

    Args:
        address: Address of the peer's pod, IPv4 or IPv6.
    """

    def __init__(self, address: str) -> None:
        self.sent = 0
        self.refused = 0
        #: Packets of a flood that are still to be sent.
        self.flood = 0
        self._owed = 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._target = (address, PORT)
        self._flood_target = (address, _FLOOD_PORT)

    def send(self, count: int, run: int) -> None:
        """Send the next ``count`` packets; what the kernel refuses counts.

        A full buffer of the socket is no refusal: nothing was sent, and nothing
        can be lost. What is left is sent the next time. XFRM can't be what asks to
        wait here, since packets meet it after they have left the pod.
        """
        self._owed += count
        while self._owed:
            try:
                self._socket.sendto(_PACKET.pack(self.sent + 1, run), self._target)
            except BlockingIOError:
                return
            except OSError:
                self.refused += 1
            self.sent += 1
            self._owed -= 1

    def burst(self, count: int) -> None:
        """Send packets as fast as they go, many to a system call.

        They belong to no run: their loss is not counted, only the states'
        sequence numbers rise.
        """
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, _PACKET.size)
        try:
            while count > 0:
                segments = min(count, _GSO_SEGMENTS)
                count -= segments
                self._socket.sendto(_PACKET.pack(0, _NO_RUN) * segments, self._target)
        finally:
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 0)
            self._socket.setblocking(False)

    def send_flood(self) -> None:
        """Send some of a flood's packets, as many as fit one system call."""
        segments = min(self.flood, _GSO_SEGMENTS)
        if not segments:
            return
        size = struct.pack("=H", _PACKET.size)
        try:
            self._socket.sendmsg(
                [_PACKET.pack(0, _NO_RUN) * segments],
                [(socket.IPPROTO_UDP, _UDP_SEGMENT, size)],
                0,
                self._flood_target,
            )
        except BlockingIOError:
            return
        except OSError:
            pass  # refused for good, and of no run whose loss counts
        self.flood -= segments


class Receiver:
    """What arrived from one pod in the present run."""

    def __init__(self) -> None:
        self.received = 0
        self.highest = 0
        self.doubles = 0
        self.overtaken = 0
        self._seen = bytearray()

    def take(self, number: int) -> None:
        """Count one arrived packet."""
        byte, bit = number >> 3, 1 << (number & 7)
        if byte >= len(self._seen):
            self._seen.extend(bytes(byte + 4096 - len(self._seen)))
        if self._seen[byte] & bit:
            self.doubles += 1
            return
        self._seen[byte] |= bit
        self.received += 1
        self.overtaken += number < self.highest
        self.highest = max(self.highest, number)


class Traffic:
    """One node's traffic: senders and receivers by the peer's pod address."""

    def __init__(self) -> None:
        families = [socket.AF_INET, *([socket.AF_INET6] if _has_ipv6() else [])]
        self._sockets = [_listen(family, PORT) for family in families]
        # Without a socket, each packet of a flood would be answered: "no such port".
        self._unread = [_listen(family, _FLOOD_PORT) for family in families]
        self._run = 0
        self._rate = 0.0
        self._senders: dict[str, Sender] = {}
        self._idle: set[str] = set()
        self._receivers: dict[str, Receiver] = {}
        self._due_s = 0.0
        self._flood_due_s = 0.0

    def close(self) -> None:
        """Close the sockets that it listens on."""
        for listener in (*self._sockets, *self._unread):
            listener.close()

    def prepare(self, run: int, peers: list[str]) -> None:
        """Listen for a new run; numbers and counts start anew.

        Every node prepares before the first one sends, so that nothing is lost
        because a receiver was not there yet.
        """
        self._run, self._rate = run, 0.0
        self._senders = {peer: Sender(peer) for peer in peers}
        self._idle = set()
        self._receivers = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request says and tell how the run stands."""
        match request["action"]:
            case "prepare":
                self.prepare(request["run"], request["peers"])
            case "start":
                self._rate = request["rate"]
                self._due_s = time.monotonic()
            case "idle":
                self._idle |= set(request["peers"])
            case "resume":
                self._idle -= set(request["peers"])
            case "stop":
                self._rate = 0.0
            case "burst":
                self._sender(request["peer"]).burst(request["count"])
                self._due_s = time.monotonic()
            case "flood":
                for peer in request["peers"]:
                    self._sender(peer).flood = request["count"]
        return {
            "run": self._run,
            "rate": self._rate,
            "sent": {peer: s.sent for peer, s in self._senders.items()},
            "refused": {peer: s.refused for peer, s in self._senders.items()},
            "flood": {peer: s.flood for peer, s in self._senders.items()},
            "received": {
                peer: {
                    "packets": r.received,
                    "highest": r.highest,
                    "twice": r.doubles,
                    "overtaken": r.overtaken,
                }
                for peer, r in self._receivers.items()
            },
        }

    def _sender(self, peer: str) -> Sender:
        return self._senders.setdefault(peer, Sender(peer))

    def send_due(self) -> None:
        """Send what the rate has made due since the last time."""
        now = time.monotonic()
        if not self._rate:
            self._due_s = now
            return
        count = int((now - self._due_s) * self._rate)
        if count:
            self._due_s += count / self._rate
            for peer, sender in self._senders.items():
                if peer not in self._idle:
                    sender.send(count, self._run)

    def send_floods(self) -> None:
        """Send the next packets of every flood, unless it is time to rest."""
        began = time.monotonic()
        if began >= self._flood_due_s:
            for sender in self._senders.values():
                sender.send_flood()
            now = time.monotonic()
            rest_s = max(_FLOOD_REST * (now - began), _FLOOD_REST_S)
            self._flood_due_s = now + rest_s

    def patience_s(self) -> float | None:
        """How long to wait for something to arrive; ``None``: for ever."""
        waits = []
        if self._rate:
            waits.append(_TICK_S if self._rate > 1 / _TICK_S else 0.02)
        if any(sender.flood for sender in self._senders.values()):
            waits.append(max(0.0, self._flood_due_s - time.monotonic()))
        return min(waits, default=None)

    def receive(self) -> None:
        """Take in everything that has arrived."""
        for listener in self._sockets:
            self._receive_from(listener)

    def _receive_from(self, listener: socket.socket) -> None:
        while True:
            try:
                data, (peer, *_) = listener.recvfrom(2048)
            except BlockingIOError:
                return
            number, run = _PACKET.unpack(data)
            if run == self._run and run != _NO_RUN:
                self._receivers.setdefault(peer, Receiver()).take(number)

    def loop(self) -> None:
        """Run until standard input ends."""
        commands = b""
        while True:
            ready, _, _ = select.select(
                [0, *(s.fileno() for s in self._sockets)], [], [], self.patience_s()
            )
            self.receive()
            if 0 in ready:
                data = os.read(0, 65536)
                if not data:
                    return
                commands += data
                *lines, commands = commands.split(b"\n")
                for line in lines:
                    print(json.dumps(self.answer(json.loads(line))), flush=True)
            self.send_due()
            self.send_floods()


def _has_ipv6() -> bool:
    """Whether this kernel has IPv6; asking for a socket would load it."""
    return os.path.exists("/proc/net/if_inet6")


def _listen(family: socket.AddressFamily, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_DGRAM)
    if family is socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if port == PORT:
        listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
    listener.bind(("", port))
    listener.setblocking(False)
    return listener


def main(_argv: list[str]) -> int:
    """Enter the pod's network and serve requests until they end."""
    netns.setns(POD)
    Traffic().loop()
    return 0
