"""The key-value store, read from etcd itself: revisions, leases and ages.

An agent's own access tells who has a key. Only etcd tells which revision made it, how
long its lease still lives and, from its history, when it came.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from etcd3gw import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception

from runbooks.collect.errors import UnreachableError, UsageError
from runbooks.collect.stored_nodes import NODES_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_PORT = 2379
LIMIT_S = 10.0
#: The operator writes the time into it about once a minute.
HEARTBEAT = "cilium/.heartbeat"
CILIUM_PREFIX = "cilium/"


@dataclass(frozen=True, slots=True)
class EtcdAccess:
    """Where etcd is and how to be let in.

    Attributes:
        endpoint: URL of one member, for example ``https://10.0.0.5:2379``.
        ca: Certificate of the authority that signed etcd's own.
        certificate: Certificate of the client.
        key: File with its key.
    """

    endpoint: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(
        cls,
        endpoint: str | None,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> EtcdAccess | None:
        """Take the options of a command line.

        Returns:
            The access, or ``None`` where no endpoint is given.

        Raises:
            UsageError: They don't belong together, or a file is not there.
        """
        files = (ca, certificate, key)
        if endpoint is None:
            if any(files):
                raise UsageError(
                    "--etcd-ca, --etcd-cert and --etcd-key need an --etcd-endpoint."
                )
            return None
        if (certificate is None) is not (key is None):
            raise UsageError("--etcd-cert and --etcd-key belong together.")
        for file in files:
            if file is not None and not file.is_file():
                raise UsageError(f"There is no file {file}.")
        access = cls(endpoint, ca, certificate, key)
        access.split()
        return access

    def split(self) -> tuple[str, str, int]:
        """Scheme, host and port.

        Raises:
            UsageError: The endpoint is no URL.
        """
        try:
            url = urlsplit(self.endpoint)
            port = url.port
        except ValueError:
            url, port = urlsplit(""), None
        if url.scheme not in {"http", "https"} or not url.hostname or url.username:
            raise UsageError(
                "--etcd-endpoint takes a URL such as https://10.0.0.5:2379."
            )
        return url.scheme, url.hostname, port or DEFAULT_PORT


def read_store(access: EtcdAccess) -> dict[str, Any]:
    """Read the nodes' keys with what etcd knows of each.

    Args:
        access: Where etcd is.

    Returns:
        The document of :mod:`runbooks.collect.stored_nodes`.

    Raises:
        UsageError: The endpoint is no URL.
        UnreachableError: etcd doesn't answer, refuses, isn't etcd or not Cilium's.
    """
    scheme, host, port = access.split()
    with requests.Session() as session:
        # Neither a proxy nor another authority of the environment is meant.
        session.trust_env = False
        session.verify = str(access.ca) if access.ca else True
        if access.certificate and access.key:
            session.cert = (str(access.certificate), str(access.key))
        client = Etcd3Client(
            host=host, port=port, protocol=scheme, timeout=LIMIT_S, session=session
        )
        try:
            return _document(client)
        except (Etcd3Exception, requests.RequestException, OSError) as error:
            raise UnreachableError(
                f"etcd at {access.endpoint} can't be read: {_line(error)}"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UnreachableError(
                f"{access.endpoint} answers with something else than etcd does."
            ) from None


def _document(client: Etcd3Client) -> dict[str, Any]:
    answer = _range(client, NODES_PREFIX)
    if not answer.get("kvs") and not _range(client, CILIUM_PREFIX, limit=1).get("kvs"):
        # An etcd of something else must not pass for one that lost its keys.
        raise UnreachableError(
            f"The etcd at {client.base_url} holds nothing of Cilium. Is it the store"
            " that the agents use?"
        )
    header = answer["header"]
    kvs = [_key_value(kv) for kv in answer.get("kvs") or ()]
    leases = {kv["lease"] for kv in kvs if kv["lease"]}
    lives = {lease: _time_to_live(client, lease) for lease in leases}
    heard = _heartbeats(client, {kv["create_revision"] for kv in kvs})
    for kv in kvs:
        kv.update(lives.get(kv["lease"], {}))
        kv["created_s"] = heard.get(kv["create_revision"])
    return {
        "header": {
            "cluster_id": str(header["cluster_id"]),
            "revision": int(header["revision"]),
        },
        "kvs": kvs,
    }


def _range(
    client: Etcd3Client, key: str, *, revision: int = 0, limit: int = 0
) -> Mapping[str, Any]:
    """One key, or all below one that ends with a slash."""
    request = {"key": _encoded(key)}
    if limit:
        request["limit"] = str(limit)
    if key.endswith("/"):
        request["range_end"] = _encoded(key[:-1] + chr(ord(key[-1]) + 1))
    if revision:
        request["revision"] = str(revision)
    answer = client.post(client.get_url("/kv/range"), json=request)
    if not isinstance(answer, dict):
        raise TypeError("an answer that is no object")
    return answer


def _key_value(kv: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a key: not all that a node says of itself."""
    return {
        "key": _decoded(kv["key"]),
        "create_revision": int(kv["create_revision"]),
        "mod_revision": int(kv["mod_revision"]),
        "lease": int(kv.get("lease", 0)),
        "value": _announced(_decoded(kv.get("value", ""))),
    }


def _announced(value: str) -> dict[str, Any]:
    try:
        node = json.loads(value)
    except ValueError:
        return {}
    return {"EncryptionKey": node["EncryptionKey"]} if "EncryptionKey" in node else {}


def _time_to_live(client: Etcd3Client, lease: int) -> dict[str, float]:
    answer = client.post(
        client.get_url("/lease/timetolive"), json={"ID": str(lease), "keys": False}
    )
    left_s = float(answer.get("TTL", 0))
    # It has just expired; the key goes with it.
    return {
        "lease_ttl_s": float(answer.get("grantedTTL", 0)),
        "lease_left_s": max(0.0, left_s),
    }


def _heartbeats(client: Etcd3Client, revisions: set[int]) -> dict[int, float]:
    """When the store was at some revisions: the operator's clock says so.

    History that has been compacted away is no failure: those have no time.
    """
    heard: dict[int, float] = {}
    for revision in sorted(revisions, reverse=True):
        try:
            found = _range(client, HEARTBEAT, revision=revision).get("kvs")
        except Etcd3Exception:
            break  # what is older is gone as well
        moment_s = _seconds(_decoded(found[0]["value"])) if found else None
        if moment_s is not None:
            heard[revision] = moment_s
    return heard


def _seconds(stamp: str) -> float | None:
    try:
        moment = datetime.fromisoformat(stamp.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _line(error: Exception) -> str:
    """What an error says, in one line that ends."""
    detail = getattr(error, "detail_text", None) or str(error) or type(error).__name__
    return " ".join(str(detail).split())[:200].rstrip(".") + "."
