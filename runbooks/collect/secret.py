"""The Secret that holds the key: its key ID and its age, and nothing else of it."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runbooks.collect.errors import CollectError
from runbooks.snapshot import SecretFacts
from runbooks.xfrm.keys import KeyFormatError, parse_key

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA_KEY = "keys"


class BrokenSecretError(CollectError):
    """The Secret holds no key line that agents could read; no part of it is told."""


def secret_facts(secret: Mapping[str, Any]) -> SecretFacts:
    """Read the key ID out of the Secret, and when its data was last written.

    Args:
        secret: The object as the API has it.

    Returns:
        The key ID and the time; the key is forgotten.

    Raises:
        BrokenSecretError: It is malformed; the sentence says in which way.
    """
    data = secret.get("data") or {}
    if DATA_KEY not in data:
        raise BrokenSecretError(
            f"Secret cilium-ipsec-keys has no data key {DATA_KEY}: agents find no key"
            " in it."
        )
    try:
        line = base64.b64decode(data[DATA_KEY], validate=True).decode("ascii")
        key_id = parse_key(line).key_id
    except (binascii.Error, UnicodeDecodeError, TypeError):
        raise BrokenSecretError(
            f"What Secret cilium-ipsec-keys holds under {DATA_KEY} is not text."
        ) from None
    except KeyFormatError as error:
        raise BrokenSecretError(f"Secret cilium-ipsec-keys: {error}") from None
    return SecretFacts(key_id, _changed_s(secret.get("metadata") or {}))


def _changed_s(metadata: Mapping[str, Any]) -> float | None:
    """When somebody last wrote the data, as the API server keeps account of it."""
    times = [
        entry.get("time")
        for entry in metadata.get("managedFields") or ()
        if "f:data" in (entry.get("fieldsV1") or {})
    ]
    try:
        return max((datetime.fromisoformat(t).timestamp() for t in times), default=None)
    except (TypeError, ValueError):
        return None
