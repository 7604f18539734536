"""What can go wrong, each as a sentence for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class RotationError(Exception):
    """Something that the operator has to read; its text is a whole sentence."""


class RefusedError(RotationError):
    """The step doesn't start, and nothing was changed by it.

    Attributes:
        reasons: Every reason, a sentence each, naming the node or object.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = tuple(reasons)


class TransientError(RotationError):
    """The API server or an agent didn't answer, and may do so in a moment.

    Attributes:
        retry_after_s: How long the server asked to be left alone, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ConflictError(RotationError):
    """An object was changed by someone else since it was read."""


class NotFoundError(RotationError):
    """An object that was asked for does not exist."""


class LockLostError(RotationError):
    """Another run holds the lock that this run held."""


class WaitLimitError(RotationError):
    """A wait ended at its limit.

    Attributes:
        pending: What was still missing, a phrase each.
        elapsed_s: How long was waited, in seconds.
    """

    def __init__(self, message: str, pending: Sequence[str], elapsed_s: float) -> None:
        super().__init__(message)
        self.pending = tuple(pending)
        self.elapsed_s = elapsed_s


def named(context: str, error: BaseException) -> BaseException:
    """An error with the name of its cluster in front."""
    match error:
        case RefusedError():
            return RefusedError([f"{context}: {reason}" for reason in error.reasons])
        case TransientError():
            return TransientError(f"{context}: {error}", error.retry_after_s)
        case WaitLimitError():
            words = f"{context}: {error}"
            return WaitLimitError(words, error.pending, error.elapsed_s)
        case RotationError():
            return type(error)(f"{context}: {error}")
    return error
