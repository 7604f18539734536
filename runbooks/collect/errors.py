"""What stops a collection altogether; what one node lacks is in its snapshot."""

from __future__ import annotations


class CollectError(Exception):
    """Nothing can be read; the text is a sentence that says what to do."""


class UsageError(CollectError):
    """The request itself can't be met: a wrong path, context or cluster."""


class NotPermittedError(CollectError):
    """The cluster refuses; the text names the verb and the resource."""


class UnreachableError(CollectError):
    """The cluster doesn't answer."""
