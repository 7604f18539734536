"""A small fleet behind a real API server: its nodes' kernels are made up.

Its agents follow the Secret as Cilium's do: after a delay they have both SPIs,
and after the rotation duration the old one is gone. Everything is worked out
when a node is looked at, so nothing runs in the background.
"""

import base64
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from runbooks.lab.kubeapi import Credentials, Faults, StatusError, Store
from runbooks.lab.kubeapi.objects import (
    agent_pod,
    cilium_node,
    cilium_node_definition,
    config_map,
    daemon_set,
    ipsec_secret,
    namespace,
    node,
)
from runbooks.xfrm.keys import IpsecKey, derive_pair_key, hash_key_bytes, parse_key
from runbooks.xfrm.model import Direction, Mark, XfrmPolicy, XfrmState, XfrmTemplate
from tests.rotation import iproute

STARTED = "2026-01-02T03:04:05Z"
VERSION = "v1.18.0"
# A throwaway: nothing is encrypted with it.
KEY_HEX = "00112233445566778899aabbccddeeff" + "01234567"


def key_line(key_id, plus="+"):
    return f"{key_id}{plus} rfc4106(gcm(aes)) {KEY_HEX} 128\n"


@dataclass
class Node:
    """One made-up node.

    ``spis`` holds the SPIs in its kernel, with the time at which each goes.
    """

    number: int
    spis: dict[int, float | None]
    delay_s: float = 0.0
    seen_s: dict[int, float] = field(default_factory=dict)
    stuck: bool = False
    stale_from: set[int] = field(default_factory=set)
    #: Makes new states, but no policy that leads to them.
    no_policies: bool = False
    #: Has the new states, but goes on sending under the old SPI.
    sends_old: bool = False
    #: When a deleted inbound state is back, by the number of its peer.
    remade_at: dict[int, float] = field(default_factory=dict)
    looks: int = 0
    #: Where its agent reads the key, if not in the Secret.
    key_file: Path | None = None
    loaded: IpsecKey | None = None
    proto_errors: int = 0

    @property
    def name(self):
        return f"node{self.number}"

    @property
    def boot_id(self):
        return f"00000000-0000-4000-8000-{self.number:012}"

    @property
    def cilium_ip(self):
        return f"10.0.{self.number}.10"

    @property
    def internal_ip(self):
        return f"192.0.2.{self.number}"


class Fleet:
    """Three nodes, their kernels and the API that shows them."""

    def __init__(self, folder: Path, key_id=3, duration_s=0.0, size=3, first=1):
        self.folder = folder
        #: Fleets whose nodes are peers of this one's, as on a cluster mesh.
        self.meshed_with: list[Fleet] = []
        self.duration_s = duration_s
        self.size = size
        self.clock = time.monotonic
        self._loaded = parse_key(key_line(key_id))
        #: Every key that the Secret has held, as far as anybody looked.
        self.keys = {self._loaded.key}
        self.restarted: list[str] = []
        self.sync_s = 0.0
        self.deleted: list[tuple[str, XfrmState]] = []
        self.stuck_after_restart: set[int] = set()
        numbers = range(first, first + size)
        self.nodes = {f"node{n}": Node(n, {key_id: None}) for n in numbers}
        self.commands: list[list[str]] = []
        #: Packets that node1 drops once a key is in use, by key ID.
        self.drops_with_key: dict[int, int] = {}
        self.store = Store()
        self.faults = Faults()
        self.credentials = Credentials()
        self._populate(key_id)

    def _populate(self, key_id):
        store = self.store
        store.create(namespace("kube-system"))
        store.create(cilium_node_definition())
        owner = store.create(daemon_set(VERSION, self.size))
        for made in self.nodes.values():
            cidr = f"10.0.{made.number}.0/24"
            stored = store.create(
                node(
                    made.name,
                    made.internal_ip,
                    cidr,
                    made.boot_id,
                    "6.1.0",
                    since=STARTED,
                )
            )
            ips = (
                ("InternalIP", made.internal_ip),
                ("CiliumInternalIP", made.cilium_ip),
            )
            store.create(cilium_node(stored, ips, cidr, key_id, made.boot_id))
            store.create(
                agent_pod(
                    made.name,
                    made.internal_ip,
                    f"aaaa{made.number}",
                    VERSION,
                    STARTED,
                    owner=owner,
                )
            )
        self.settings = {
            "enable-ipsec": "true",
            "cluster-name": "default",
            "identity-allocation-mode": "crd",
            "ipsec-key-rotation-duration": "1s",
        }
        store.create(config_map(self.settings))
        store.create(ipsec_secret(key_line(key_id)))
        self.owner = owner

    # The Secret, as the test wants it.

    @property
    def secret(self):
        return self.store.get("secrets", "cilium-ipsec-keys", "kube-system")

    @property
    def secret_line(self):
        return base64.b64decode(self.secret["data"]["keys"]).decode()

    @property
    def loaded_key(self):
        """What the agents have: without a Secret or a key in it, the one before."""
        with contextlib.suppress(StatusError, ValueError):
            self._loaded = parse_key(self.secret_line)
            self.keys.add(self._loaded.key)
        return self._loaded

    def write_secret(self, line):
        changed = self.secret
        changed["data"]["keys"] = base64.b64encode(line.encode()).decode()
        self.store.update(changed)

    def keep_keys_in_files(self):
        """Let every node have a file with the key, and take the Secret away."""
        line = self.secret_line
        self.store.delete("secrets", "cilium-ipsec-keys", "kube-system")
        for made in self.nodes.values():
            made.key_file = self.folder / "nodes" / made.name / "ipsec" / "keys"
            made.key_file.parent.mkdir(parents=True)
            made.key_file.write_text(line)
            made.key_file.chmod(0o600)
            made.loaded = parse_key(line)

    def loaded_key_of(self, made):
        """What a node's agent has loaded; agents go on with it if there is no other."""
        if made.key_file is None:
            return self.loaded_key
        with contextlib.suppress(OSError, ValueError):
            made.loaded = parse_key(made.key_file.read_text())
        return made.loaded

    @property
    def _key(self):
        """The key of all states: which of several is of no matter to them."""
        return self.loaded_key_of(next(iter(self.nodes.values()))).key

    def configure(self, **settings):
        found = self.store.get("configmaps", "cilium-config", "kube-system")
        for option, value in settings.items():
            found["data"][option.replace("_", "-")] = value
        self.store.update(found)

    def pod(self, number):
        return self.store.get("pods", f"cilium-aaaa{number}", "kube-system")

    # What the agents do.

    def need_restarts(self):
        """Take up keys only where an agent starts, as without the key watcher."""
        self.configure(enable_ipsec_key_watcher="false")
        for made in self.nodes.values():
            made.stuck = True
        delete = self.store.delete

        def delete_and_remake(resource, *names, **options):
            gone = delete(resource, *names, **options)
            for made in self.nodes.values():
                if names[0] == f"cilium-aaaa{made.number}":
                    self._remake_pod(made)
            return gone

        self.store.delete = delete_and_remake

    def _remake_pod(self, made):
        self.restarted.append(made.name)
        made.stuck = made.number in self.stuck_after_restart
        self.store.create(
            agent_pod(
                made.name,
                made.internal_ip,
                f"bbbb{made.number}",
                VERSION,
                STARTED,
                owner=self.owner,
            )
        )

    def peers(self, made):
        """Every node that a node has states for."""
        fleets = (self, *self.meshed_with)
        everyone = (node for fleet in fleets for node in fleet.nodes.values())
        return [node for node in everyone if node is not made]

    def advance(self, made):
        """Bring one node's kernel to where its agent would have it by now."""
        now = self.clock()
        key_id = self.loaded_key_of(made).key_id
        seen = made.seen_s.setdefault(key_id, now)
        if key_id not in made.spis and not made.stuck and now - seen >= made.delay_s:
            made.spis = dict.fromkeys(made.spis, now + self.duration_s)
            made.spis[key_id] = None
            made.stale_from = set()
        made.spis = {
            spi: goes
            for spi, goes in made.spis.items()
            if goes is None or goes > now or len(made.spis) == 1
        }

    def proto_errors(self, made):
        """``XfrmInStateProtoError`` of a node."""
        dropped = sum(n for spi, n in self.drops_with_key.items() if spi in made.spis)
        return made.proto_errors + (dropped if made.name == "node1" else 0)

    def states(self, name):
        """XFRM states of a node, in a moment without traffic."""
        made = self.nodes[name]
        made.looks += 1
        for other in self.nodes.values():
            self.advance(other)
        key = self._key
        found = []
        for spi in sorted(made.spis):
            for peer in self.peers(made):
                pair_in = (peer, made)
                pair_out = (made, peer)
                stale = peer.number in made.stale_from
                reset = made.number in peer.stale_from
                back_at = made.remade_at.get(peer.number)
                if back_at is None or self.clock() >= back_at:
                    seen = 5000 if back_at is None else 4
                    found.append(self._state(*pair_in, spi, key, 0x0D00, seen, stale))
                sent = 4 if reset else 5000
                if made.sends_old and spi == min(made.spis):
                    sent += made.looks
                found.append(self._state(*pair_out, spi, key, 0x0E00, sent))
        return tuple(found)

    def delete_state(self, name, argv):
        """``ip xfrm state delete``; the agent makes the state anew in a while.

        Returns:
            Exit status and complaint.
        """
        words = argv[4:]
        asked = dict(zip(words[::2], words[1::2], strict=False))
        for state in self.states(name):
            if (
                (state.source, state.destination) == (asked["src"], asked["dst"])
                and state.spi == int(asked["spi"], 16)
                and state.mark == Mark(int(asked["mark"], 16), int(asked["mask"], 16))
            ):
                back_at = self.clock() + self.sync_s
                self.nodes[name].remade_at[state.mark.node_id] = back_at
                self.deleted.append((name, state))
                return 0, ""
        return 2, "RTNETLINK answers: No such process\n"

    def policies(self, name):
        """XFRM policies of a node that lead to its peers."""
        made = self.nodes[name]
        spis = sorted(made.spis)[:1] if made.no_policies else sorted(made.spis)
        return tuple(
            XfrmPolicy(
                "0.0.0.0/0",
                f"10.0.{peer.number}.0/24",
                Direction.OUT,
                mark=Mark(peer.number << 16 | spi << 12 | 0x0E00, 0xFFFFFF00),
                templates=(XfrmTemplate(made.cilium_ip, peer.cilium_ip, spi, 1),),
            )
            for spi in spis
            for peer in self.peers(made)
        )

    def policy_text(self, name):
        """The same as ``ip -s xfrm policy`` prints it."""
        return iproute.policies(self.policies(name))

    def state_text(self, name):
        """The same as ``ip -s xfrm state`` prints it, keys included."""
        return iproute.states(self.states(name), self._pair_key)

    def _pair_key(self, source, destination):
        fleets = (self, *self.meshed_with)
        nodes = [node for fleet in fleets for node in fleet.nodes.values()]
        boots = {n.cilium_ip: n.boot_id for n in nodes}
        ends = source, destination
        return derive_pair_key(self._key, *ends, *(boots[end] for end in ends))

    @staticmethod
    def _state(source, destination, spi, key, action, number, _stale=False):
        inbound = action == 0x0D00
        peer = source if inbound else destination
        mark = peer.number << 16 | action | (0 if inbound else spi << 12)
        pair_key = derive_pair_key(
            key,
            source.cilium_ip,
            destination.cilium_ip,
            source.boot_id,
            destination.boot_id,
        )
        return XfrmState(
            source=source.cilium_ip,
            destination=destination.cilium_ip,
            spi=spi,
            reqid=1,
            mark=Mark(mark, 0xFFFF0F00 if inbound else 0xFFFFFF00),
            output_mark=Mark(action, 0xFFFFFF00),
            algorithm="rfc4106(gcm(aes))",
            icv_bits=128,
            key_hash=hash_key_bytes(pair_key),
            esn=True,
            replay_window=1024,
            seq=number if inbound else 0,
            oseq=0 if inbound else number,
            bytes=number * 84,
            packets=number,
            added_s=1767322000,
            used_s=1767322010,
            replay_window_errors=0,
            replay_errors=0,
            integrity_errors=0,
            key_bits=8 * len(pair_key),
        )
