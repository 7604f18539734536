"""The objects of the lab's cluster, in memory.

What the HTTP side and the lab's supervisor both call, with one meaning of every
verb. Semantics: Kubernetes API conventions (``sig-architecture/api-conventions``).
"""

from __future__ import annotations

import copy
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from runbooks.lab.kubeapi.admission import (
    check_name,
    check_shape,
    generated_name,
    settle,
    timestamp,
)
from runbooks.lab.kubeapi.patches import PatchType, apply_patch
from runbooks.lab.kubeapi.replacement import (
    check_deletion,
    replacement,
    version_required,
)
from runbooks.lab.kubeapi.resources import Catalogue, Resource, custom_resource
from runbooks.lab.kubeapi.selectors import both
from runbooks.lab.kubeapi.status import (
    JsonObject,
    StatusError,
    already_exists,
    bad_request,
    method_not_allowed,
    not_found,
)
from runbooks.lab.kubeapi.watch import Event, EventType, History, Listener, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

JsonObjects: TypeAlias = list[JsonObject]
_Key: TypeAlias = tuple[str, str | None, str]
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


class Store:
    """Every object, one counter of versions, and a history of changes.

    Resources are named as ``kubectl`` names them: ``pods``,
    ``daemonsets.apps``, ``ciliumnodes.cilium.io``. All methods may be called
    from any thread; what they return belongs to the caller.

    Args:
        history_limit: Number of events a watch can go back.
        now: The clock of ``creationTimestamp``.
    """

    def __init__(
        self,
        *,
        history_limit: int = 10_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.catalogue = Catalogue()
        self._objects: dict[_Key, JsonObject] = {}
        self._history = History(history_limit)
        self._version = 0
        self._now = now
        self._lock = threading.RLock()

    @property
    def version(self) -> int:
        """The resourceVersion of the last change."""
        return self._version

    def saved(self) -> tuple[int, JsonObjects]:
        """Everything that another store needs to go on: version and objects."""
        with self._lock:
            return self._version, copy.deepcopy(list(self._objects.values()))

    def resume(self, version: int, objects: JsonObjects) -> None:
        """Go on where another store ended; watches from before it have to list.

        Args:
            version: That store's last resourceVersion.
            objects: Its objects, definitions before the objects they define.
        """
        with self._lock:
            for obj in objects:
                served = self._resource_for(obj, None)
                meta = obj["metadata"]
                key = self._key(served, meta.get("namespace"), meta["name"])
                self._objects[key] = obj
                if key[0] == _DEFINITIONS:
                    self.catalogue.serve(custom_resource(obj))
            self._version = version
            self._history.begin_after(version)

    def create(
        self, obj: JsonObject, *, resource: str | None = None, dry_run: bool = False
    ) -> JsonObject:
        """Add an object.

        Args:
            obj: The object; ``metadata.generateName`` does instead of a name.
            resource: Where to, if not what ``apiVersion`` and ``kind`` say.
            dry_run: Only say what would be made.

        Returns:
            The object as it is stored.

        Raises:
            StatusError: 409, it exists; 400, 404, 422, it can't be stored.
        """
        with self._lock:
            served = self._resource_for(obj, resource)
            made = copy.deepcopy(check_shape(served, obj))
            made |= {"apiVersion": served.api_version, "kind": served.kind}
            meta = made.setdefault("metadata", {})
            if not meta.get("name") and meta.get("generateName"):
                meta["name"] = generated_name(meta["generateName"])
            check_name(served, meta.get("name", ""))
            key = self._key(served, meta.get("namespace"), meta["name"])
            if meta.get("resourceVersion"):
                raise bad_request(
                    "resourceVersion should not be set on objects to be created"
                )
            if key in self._objects:
                raise already_exists(served.plural, served.group, key[2])
            if key[1] is not None:
                meta["namespace"] = key[1]
                self.get("namespaces", key[1])
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = timestamp(self._now())
            meta.pop("deletionTimestamp", None)
            meta.pop("managedFields", None)
            if served.has_generation:
                meta["generation"] = 1
            settle(served, made)
            if not dry_run:
                self._commit("ADDED", key, made)
            return copy.deepcopy(made)

    def get(self, resource: str, name: str, namespace: str | None = None) -> JsonObject:
        """Read one object.

        Raises:
            StatusError: 404, it is not there.
        """
        with self._lock:
            served = self.catalogue.named(resource)
            key = self._key(served, namespace, name)
            return copy.deepcopy(self._stored(served, key))

    def list(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> JsonObjects:
        """Read all objects of a resource that are selected, by name.

        Args:
            resource: The resource.
            namespace: Only from there; ``None`` for everywhere.
            label_selector: ``k8s-app=cilium``.
            field_selector: ``spec.nodeName=node1``.

        Raises:
            StatusError: 400, a selector can't be parsed.
        """
        selects = both(label_selector, field_selector)
        with self._lock:
            name = self.catalogue.named(resource).name
            found = sorted(
                (key for key in self._objects if key[0] == name),
                key=lambda key: (key[1] or "", key[2]),
            )
            return [
                copy.deepcopy(self._objects[key])
                for key in found
                if (namespace is None or key[1] == namespace)
                and selects(self._objects[key])
            ]

    def list_with_version(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> tuple[JsonObjects, int]:
        """List, and say at which resourceVersion; a watch can go on from it."""
        with self._lock:
            found = self.list(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
            )
            return found, self._version

    def update(
        self, obj: JsonObject, *, subresource: str | None = None, dry_run: bool = False
    ) -> JsonObject:
        """Replace an object.

        Args:
            obj: The object. If ``metadata.resourceVersion`` is set, only that
                version is replaced.
            subresource: ``status`` to write the status and nothing else; where
                a resource has that subresource, a plain update leaves the
                status as it is.
            dry_run: Only say what would be made.

        Returns:
            The object as it is stored; an update that changes nothing makes no
            new resourceVersion.

        Raises:
            StatusError: 404, 409 or 422.
        """
        with self._lock:
            served = self._resource_for(obj, None)
            meta = check_shape(served, obj).get("metadata", {})
            key = self._key(served, meta.get("namespace"), meta.get("name", ""))
            if served.needs_version and not meta.get("resourceVersion"):
                self._stored(served, key)
                raise version_required(served, key[2])
            return self._replace(served, key, obj, subresource, dry_run)

    def patch(
        self,
        resource: str,
        name: str,
        patch: object,
        namespace: str | None = None,
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> JsonObject:
        """Change part of an object; server-side apply also creates it.

        Args:
            resource: The resource.
            name: Of the object.
            patch: A JSON object, or a list of operations for a JSON patch. A
                ``metadata.resourceVersion`` in it must match.
            namespace: Of the object.
            patch_type: The format of the patch.
            subresource: As for ``update``.
            dry_run: Only say what would be made.

        Returns:
            The object as it is stored.

        Raises:
            StatusError: 400, 404, 409, 415 or 422.
        """
        with self._lock:
            served = self.catalogue.named(resource)
            key = self._key(served, namespace, name)
            if patch_type is PatchType.STRATEGIC and not served.strategic:
                raise StatusError(
                    415,
                    "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted "
                    "media types include: application/json-patch+json, "
                    "application/merge-patch+json, application/apply-patch+yaml",
                )
            if patch_type is PatchType.APPLY:
                if key not in self._objects and isinstance(patch, dict):
                    meta = patch.get("metadata", {}) | {"name": name}
                    if namespace:
                        meta["namespace"] = namespace
                    made = patch | {"metadata": meta}
                    return self.create(made, resource=resource, dry_run=dry_run)
                if not served.strategic:
                    patch_type = PatchType.MERGE
            current = self._stored(served, key)
            changed = apply_patch(copy.deepcopy(current), patch, patch_type)
            return self._replace(served, key, changed, subresource, dry_run)

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        orphan: bool = False,
        dry_run: bool = False,
    ) -> JsonObject:
        """Remove an object, and what it owns.

        Args:
            resource: The resource.
            name: Of the object.
            namespace: Of the object.
            uid: Remove it only if this is its uid.
            resource_version: Remove it only in this version.
            orphan: Leave what it owns.
            dry_run: Remove nothing.

        Returns:
            The object as it was.

        Raises:
            StatusError: 404, or 409 if a condition does not hold.
        """
        with self._lock:
            served = self.catalogue.named(resource)
            key = self._key(served, namespace, name)
            stored = self._stored(served, key)
            check_deletion(served, stored, uid, resource_version)
            gone = copy.deepcopy(self._objects[key])
            if not dry_run:
                self._remove(key, orphan=orphan)
            return gone

    def subscribe(
        self, listener: Listener, *, since: int | None = None
    ) -> Subscription:
        """Tell of every change of every object from now on.

        Args:
            listener: Called in the thread that makes the change, while the
                store is locked: it must return at once, and not change the
                event's objects.
            since: First tell of the changes after this resourceVersion.

        Returns:
            What to close when no more is wanted.

        Raises:
            StatusError: 410, ``since`` is older than the history.
        """
        with self._lock:
            for event in self._history.since(since) if since is not None else ():
                listener(event)
            return self._history.subscribe(listener)

    def compact(self) -> None:
        """Forget the history, so that older watches get 410."""
        with self._lock:
            self._history.compact()

    def _resource_for(self, obj: JsonObject, resource: str | None) -> Resource:
        if resource is not None:
            return self.catalogue.named(resource)
        return self.catalogue.of(obj.get("apiVersion", ""), obj.get("kind", ""))

    @staticmethod
    def _key(resource: Resource, namespace: str | None, name: str) -> _Key:
        if not resource.stored:
            raise method_not_allowed()
        if not resource.namespaced:
            return resource.name, None, name
        return resource.name, namespace or "default", name

    def _stored(self, resource: Resource, key: _Key) -> JsonObject:
        try:
            return self._objects[key]
        except KeyError:
            raise not_found(resource.plural, resource.group, key[2]) from None

    def _replace(
        self,
        resource: Resource,
        key: _Key,
        obj: JsonObject,
        subresource: str | None,
        dry_run: bool,
    ) -> JsonObject:
        old = self._stored(resource, key)
        made = replacement(resource, old, obj, subresource)
        settle(resource, made)
        if made != old and not dry_run:
            self._commit("MODIFIED", key, made)
        return copy.deepcopy(made)

    def _commit(self, event_type: EventType, key: _Key, obj: JsonObject) -> None:
        previous = self._objects.get(key)
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        if event_type == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = obj
        if key[0] == _DEFINITIONS and event_type != "DELETED":
            self.catalogue.serve(custom_resource(obj))
        self._history.record(
            Event(event_type, key[0], key[1], self._version, obj, previous)
        )

    def _remove(self, key: _Key, *, orphan: bool = False) -> None:
        if key not in self._objects:
            return
        gone = copy.deepcopy(self._objects[key])
        if key[0] == "namespaces":
            self._remove_all(lambda other: other[1] == key[2])
        if key[0] == _DEFINITIONS:
            defined = custom_resource(gone)
            self._remove_all(lambda other: other[0] == defined.name)
            self.catalogue.withdraw(defined)
        self._commit("DELETED", key, gone)
        if not orphan:
            self._collect_orphans(gone["metadata"]["uid"])

    def _remove_all(self, selects: Callable[[_Key], bool]) -> None:
        for key in [key for key in self._objects if selects(key)]:
            self._remove(key)

    def _collect_orphans(self, owner_uid: str) -> None:
        living = {obj["metadata"]["uid"] for obj in self._objects.values()}
        for key, obj in list(self._objects.items()):
            owners = {
                reference.get("uid")
                for reference in obj["metadata"].get("ownerReferences") or ()
            }
            if owner_uid in owners and not owners & living:
                self._remove(key)
