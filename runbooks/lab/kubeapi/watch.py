"""What happened to the objects, in order: the ground that a watch stands on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from runbooks.lab.kubeapi.status import JsonObject, expired

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.selectors import Selector

EventType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one object.

    Attributes:
        type: What happened.
        resource: ``pods``, ``daemonsets.apps``.
        namespace: Of the object; ``None`` for cluster-scoped ones.
        version: The resourceVersion that the change made.
        object: The object after the change, the last state of a deleted one.
            Shared between all who read it: never change it.
        previous: The object before the change, ``None`` when added.
    """

    type: EventType
    resource: str
    namespace: str | None
    version: int
    object: JsonObject
    previous: JsonObject | None = None

    def seen_through(self, selects: Selector) -> Event | None:
        """Tell what this is to a watch that selects only some objects.

        An object that begins to be selected is added to such a watch, one
        that no longer is, deleted.

        Args:
            selects: The watch's selector.

        Returns:
            The event as the watch must show it; ``None`` if it is none of
            its business.
        """
        after = self.type != "DELETED" and selects(self.object)
        before = self.previous is not None and selects(self.previous)
        if not after and not before:
            return None
        seen: EventType = "MODIFIED"
        if not before:
            seen = "ADDED"
        elif not after:
            seen = "DELETED"
        return Event(
            seen,
            self.resource,
            self.namespace,
            self.version,
            self.object,
            self.previous,
        )


Listener: TypeAlias = Callable[[Event], None]


class Subscription:
    """A listener that hears of every change until it is closed.

    Args:
        history: What it listens to.
        listener: Called in the thread that makes the change, while the store
            is locked: it must return at once.
    """

    def __init__(self, history: History, listener: Listener) -> None:
        self._history = history
        self._listener = listener

    def tell(self, event: Event) -> None:
        """Pass on an event."""
        self._listener(event)

    def close(self) -> None:
        """Hear no more; closing twice is harmless."""
        self._history.forget(self)


class History:
    """The last events, and who listens for the next.

    Args:
        limit: Number of events that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._events: deque[Event] = deque(maxlen=limit)
        self._subscriptions: list[Subscription] = []
        self._compacted = 0

    def record(self, event: Event) -> None:
        """Keep an event and tell every listener."""
        if len(self._events) == self._events.maxlen:
            self._compacted = self._events[0].version
        self._events.append(event)
        for subscription in tuple(self._subscriptions):
            subscription.tell(event)

    def since(self, version: int) -> list[Event]:
        """List the events after a resourceVersion.

        Raises:
            StatusError: 410, they are no longer known.
        """
        if version < self._compacted:
            raise expired(version, self._compacted)
        return [event for event in self._events if event.version > version]

    def compact(self) -> None:
        """Forget all events, as etcd does every few minutes."""
        if self._events:
            self._compacted = self._events[-1].version
            self._events.clear()

    def begin_after(self, version: int) -> None:
        """Know nothing of what happened up to a version."""
        self._events.clear()
        self._compacted = version

    def subscribe(self, listener: Listener) -> Subscription:
        """Call ``listener`` for every event from now on."""
        subscription = Subscription(self, listener)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Drop a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
