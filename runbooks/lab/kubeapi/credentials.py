"""Who may talk to the API: certificates, tokens, and the kubeconfigs with them.

Private keys are made for each lab and live in memory, and in the kubeconfig
that the caller writes (mode 0600).
"""

from __future__ import annotations

import base64
import os
import secrets
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbooks.lab.kubeapi.status import JsonObject

AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Attributes:
        user: User name.
        groups: Groups, ``system:authenticated`` among them.
        uid: Of the ServiceAccount object, if it is one.
    """

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""

    @property
    def is_master(self) -> bool:
        """Whether no rule applies to it."""
        return "system:masters" in self.groups


@dataclass(frozen=True, slots=True)
class _Grant:
    identity: Identity
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with its key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


class Credentials:
    """A certificate authority and a table of tokens.

    Args:
        hosts: Names and addresses that the server's certificate is for.
    """

    def __init__(self, hosts: Sequence[str] = ("127.0.0.1", "localhost")) -> None:
        self._hosts = hosts
        self._begin(
            trustme.CA(organization_name="ipsec-runbooks", organization_unit_name="lab")
        )
        self._grants: dict[str, _Grant] = {}

    def _begin(self, authority: trustme.CA) -> None:
        self._authority = authority
        self._server = authority.issue_cert(*self._hosts, common_name=self._hosts[0])

    def saved(self) -> JsonObject:
        """The authority and the tokens, private keys included; for memory only."""
        return {
            "certificate": self.authority.decode(),
            "key": self._authority.private_key_pem.bytes().decode(),
            "grants": [
                [
                    token,
                    grant.identity.user,
                    list(grant.identity.groups),
                    grant.identity.uid,
                    grant.expires.timestamp() if grant.expires else None,
                ]
                for token, grant in self._grants.items()
            ],
        }

    def resume(self, saved: JsonObject) -> None:
        """Go on with another's authority and tokens, so that they stay valid."""
        self._begin(
            trustme.CA.from_pem(saved["certificate"].encode(), saved["key"].encode())
        )
        for token, user, groups, uid, expires_s in saved["grants"]:
            expires = datetime.fromtimestamp(expires_s, UTC) if expires_s else None
            self._grants[token] = _Grant(Identity(user, tuple(groups), uid), expires)

    @property
    def authority(self) -> bytes:
        """The authority's certificate, PEM."""
        return self._authority.cert_pem.bytes()

    def server_context(self) -> ssl.SSLContext:
        """Make the server's TLS context; client certificates are optional."""
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cadata=self.authority.decode()
        )
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        # OpenSSL reads a chain from a path only: one that is never on a disk.
        descriptor = os.memfd_create("server-chain", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as chain:
            chain.write(self._server.private_key_and_cert_chain_pem.bytes())
            chain.flush()
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        return context

    def issue_certificate(self, user: str, group: str = "") -> ClientCertificate:
        """Make a client certificate.

        Args:
            user: Its common name.
            group: Its organization; a certificate without one is in the group
                ``ipsec-runbooks``, which no rule names.
        """
        leaf = self._authority.issue_cert(
            common_name=user, organization_name=group or "ipsec-runbooks"
        )
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return ClientCertificate(chain, leaf.private_key_pem.bytes())

    def issue_token(
        self, identity: Identity, lifetime: timedelta | None = None
    ) -> tuple[str, datetime | None]:
        """Make a bearer token.

        Args:
            identity: Whom it stands for.
            lifetime: How long; ``None`` for as long as the lab runs.

        Returns:
            The token, and when it expires.
        """
        token = secrets.token_urlsafe(32)
        expires = datetime.now(UTC) + lifetime if lifetime is not None else None
        self._grants[token] = _Grant(identity, expires)
        return token, expires

    def identity_of_token(self, token: str) -> Identity | None:
        """Find whom a token stands for; ``None`` if nobody (any more)."""
        grant = self._grants.get(token)
        if grant is None or (grant.expires and grant.expires < datetime.now(UTC)):
            return None
        return grant.identity

    @staticmethod
    def identity_of_certificate(peer: Mapping[str, object]) -> Identity:
        """Read a verified client certificate.

        Args:
            peer: As ``ssl.SSLSocket.getpeercert`` returns it.
        """
        subject = peer["subject"]
        assert isinstance(subject, tuple)
        parts = [pair for names in subject for pair in names]
        user = next((value for key, value in parts if key == "commonName"), "")
        groups = [value for key, value in parts if key == "organizationName"]
        return Identity(user, (*groups, AUTHENTICATED))

    def admin_kubeconfig(self, server: str, name: str = "lab") -> JsonObject:
        """Make the kubeconfig of ``kubernetes-admin``, who may do everything.

        Args:
            server: URL of the API.
            name: Of the cluster and the context.
        """
        issued = self.issue_certificate("kubernetes-admin", "system:masters")
        user = {
            "client-certificate-data": _base64(issued.certificate),
            "client-key-data": _base64(issued.key),
        }
        return self._kubeconfig(server, name, "kubernetes-admin", user)

    def token_kubeconfig(
        self, server: str, token: str, name: str = "lab", user: str = "token"
    ) -> JsonObject:
        """Make a kubeconfig that shows a bearer token."""
        return self._kubeconfig(server, name, user, {"token": token})

    def _kubeconfig(
        self, server: str, name: str, user: str, secret: JsonObject
    ) -> JsonObject:
        cluster = {
            "server": server,
            "certificate-authority-data": _base64(self.authority),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": f"{user}@{name}", "user": secret}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": f"{user}@{name}"}}
            ],
            "current-context": name,
        }


def service_account(namespace: str, name: str, uid: str = "") -> Identity:
    """Name the identity of a ServiceAccount, as its tokens carry it."""
    groups = (
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        AUTHENTICATED,
    )
    return Identity(f"system:serviceaccount:{namespace}:{name}", groups, uid)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
