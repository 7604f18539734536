"""Answers ``cilium-dbg`` in the words of cilium-agent's own.

``cilium-dbg`` on a node is a few lines of shell that pass their arguments here:
starting Python for each would take longer than everything else.
"""

from __future__ import annotations

import json
import socketserver
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.lab.agent.store import StoreMissingError
from runbooks.xfrm.netlink import XfrmSocket
from runbooks.xfrm.stat import parse_xfrm_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbooks.lab.agent.agent import Agent

#: Where the agent answers, on the node's loopback device.
PORT = 9879
_GO_VERSION = "go version go1.24.3 linux/amd64"


class UsageError(Exception):
    """``cilium-dbg`` was called in a way that the lab does not know."""


class AgentApi:
    """Answers for one agent.

    Args:
        agent: The running agent.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._commands: dict[tuple[str, ...], Callable[[list[str]], str]] = {
            ("encrypt", "status"): self._encrypt_status,
            ("status",): self._status,
            ("version",): self._version,
            ("kvstore", "get"): self._kvstore_get,
            ("node", "list"): self._node_list,
            ("bpf", "nodeid", "list"): self._nodeid_list,
        }

    def answer(self, arguments: list[str]) -> str:
        """What ``cilium-dbg`` prints for its arguments.

        Raises:
            UsageError: The lab's agent does not answer this.
        """
        words = [a for a in arguments if not a.startswith("-")]
        for length in (3, 2, 1):
            command = self._commands.get(tuple(words[:length]))
            if command is not None:
                return command(arguments)
        raise UsageError(f'unknown command "{" ".join(arguments)}" for "cilium-dbg"')

    def _encrypt_status(self, arguments: list[str]) -> str:
        with XfrmSocket() as xfrm:
            states = [s for s in xfrm.states() if s.direction]
        errors = {
            name: count
            for name, count in parse_xfrm_stat(
                Path("/proc/net/xfrm_stat").read_text()
            ).items()
            if count
        }
        keys = len({s.key_hash for s in states})
        highest = max((s.oseq for s in states), default=0)
        sequence = f"{highest:#x}/0xffffffff" if states else "N/A"
        if _wants_json(arguments):
            status: dict[str, Any] = {
                "decrypt-interfaces": [],
                "error-count": sum(errors.values()),
                "keys-in-use": keys,
                "max-seq-number": sequence,
            }
            if errors:
                status["xfrm-errors"] = errors
            return json.dumps({"ipsec": status, "mode": "IPsec"}, indent=2) + "\n"
        lines = [
            f"Encryption: {'IPsec':<26}",
            "Decryption interface(s): ",
            f"Keys in use: {keys:<26}",
            f"Max Seq. Number: {sequence}",
            f"Errors: {sum(errors.values()):<26}",
            *(f"\t{name}: {count:<26}" for name, count in errors.items()),
        ]
        return "\n".join(lines) + "\n"

    def _status(self, arguments: list[str]) -> str:
        config = self._agent.config
        store = self._agent.store.status()
        peers = len(self._agent.memory.peers)
        if _wants_json(arguments):
            ok = {"state": "Ok"}
            return (
                json.dumps(
                    {
                        "cilium": ok | {"msg": config.version},
                        "cluster": {"self": f"{config.cluster}/{config.node}"},
                        "encryption": {"mode": "IPsec"},
                        "kvstore": store,
                    },
                    indent=2,
                )
                + "\n"
            )
        known = "   ".join(store.values())
        lines = [
            f"KVStore:                 {known}",
            f"Cilium:                  Ok   {config.version}",
            f"Cluster health:          {peers + 1}/{peers + 1} reachable",
            "Encryption:              IPsec",
        ]
        return "\n".join(lines) + "\n"

    def _version(self, _arguments: list[str]) -> str:
        version = f"{self._agent.config.version} {_GO_VERSION}"
        return f"Client: {version}\nDaemon: {version}\n"

    def _kvstore_get(self, arguments: list[str]) -> str:
        keys = [a for a in arguments[2:] if not a.startswith("-")]
        if len(keys) != 1:
            raise UsageError("Please specify a key to read")
        below = "--recursive" in arguments
        found = self._agent.store.get(keys[0], prefix=below)
        if not found and not below:
            raise UsageError(f'Unable to retrieve key "{keys[0]}": not found')
        if _wants_json(arguments):
            return json.dumps(dict(found)) + "\n"
        return "".join(f"{key} => {value}\n" for key, value in found)

    def _node_list(self, _arguments: list[str]) -> str:
        own = self._agent.own()
        rows = [(own, "local")]
        source = self._agent.store.source
        rows += [(peer, source) for peer in self._agent.memory.peers.values()]
        cidr = "Endpoint CIDR"
        table = [
            ("Name", "IPv4 Address", cidr, "IPv6 Address", cidr, "Source"),
            *(
                (
                    *(node.name, node.node_ip, node.pod_cidr),
                    *((v6.node_ip, v6.pod_cidr) if (v6 := node.ipv6) else ("", "")),
                    known_from,
                )
                for node, known_from in rows
            ),
        ]
        return _columns(table)

    def _nodeid_list(self, _arguments: list[str]) -> str:
        memory = self._agent.memory
        rows = [("NODE ID", "IP ADDRESSES", "SPI")]
        for name, node_id in memory.node_ids.items():
            if (peer := memory.peers.get(name)) is not None:
                ips = [ip for _, ip in peer.addresses]
                rows.append((hex(node_id), ips[0], ""))
                rows += [("", ip, "") for ip in ips[1:]]
        return _columns(rows)


def _wants_json(arguments: list[str]) -> bool:
    return (
        "-ojson" in arguments
        or "--output=json" in arguments
        or ("json" in arguments and ("-o" in arguments or "--output" in arguments))
    )


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Handler(socketserver.StreamRequestHandler):
    api: AgentApi

    def handle(self) -> None:
        arguments = self.rfile.readline().decode().rstrip("\n").split("\x1f")[:-1]
        try:
            status, text = 0, self.api.answer(arguments)
        except (UsageError, StoreMissingError, OSError) as error:
            status, text = 1, f"Error: {error}\n"
        self.wfile.write(f"{status}\n{text}".encode())


def serve(agent: Agent) -> None:
    """Answer for ever."""
    handler = type("Handler", (_Handler,), {"api": AgentApi(agent)})
    socketserver.TCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", PORT), handler) as server:
        server.serve_forever()
