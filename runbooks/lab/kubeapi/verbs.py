"""The verbs of resources over HTTP: from a request to the store and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import yaml

from runbooks.lab.kubeapi import protobuf
from runbooks.lab.kubeapi.admission import check_shape, timestamp
from runbooks.lab.kubeapi.answers import answer, form_of
from runbooks.lab.kubeapi.credentials import service_account
from runbooks.lab.kubeapi.patches import PatchType
from runbooks.lab.kubeapi.status import (
    JsonObject,
    StatusError,
    bad_request,
    method_not_allowed,
    no_such_path,
    success,
    unsupported_media_type,
)

if TYPE_CHECKING:
    from aiohttp import web

    from runbooks.lab.kubeapi.credentials import Credentials
    from runbooks.lab.kubeapi.request import RequestInfo
    from runbooks.lab.kubeapi.resources import Resource
    from runbooks.lab.kubeapi.store import Store

_JSON_TYPES = {"", "application/json", "application/octet-stream"}
_TOKEN_LIFETIME_S = 3600


def _is_dry_run(http: web.Request) -> bool:
    asked = http.query.getall("dryRun", [])
    if any(value != "All" for value in asked):
        raise bad_request(f"dryRun: Unsupported value: {asked[0]!r}: supported: All")
    return bool(asked)


async def read_body(http: web.Request) -> Any:
    """Read a body of JSON or YAML; ``None`` if it is empty.

    Raises:
        StatusError: 400 or 415, it can't be read.
    """
    content = await http.read()
    if not content:
        return None
    kind = http.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == protobuf.MEDIA_TYPE:
        return protobuf.decode(content)
    try:
        if kind.endswith("yaml"):
            return yaml.safe_load(content)
        if kind in _JSON_TYPES or kind.endswith("+json"):
            return json.loads(content)
    except (ValueError, yaml.YAMLError):
        # The parser's own sentence may quote a Secret.
        raise bad_request("the body of the request is not well formed") from None
    raise unsupported_media_type(kind)


@dataclass(frozen=True, slots=True)
class Verbs:
    """What can be asked of the store over HTTP.

    Attributes:
        store: The objects.
        credentials: Where tokens of ServiceAccounts come from.
    """

    store: Store
    credentials: Credentials

    async def carry_out(self, http: web.Request, info: RequestInfo) -> web.Response:
        """Answer a request that is neither a watch, an exec nor a log.

        Raises:
            StatusError: It is refused.
        """
        resource = self.store.catalogue.at(info.group, info.version, info.plural)
        if info.subresource == "token" and resource.name == "serviceaccounts":
            return await self._token(http, info)
        if info.subresource and not (
            info.subresource == "status" and resource.has_status
        ):
            raise no_such_path()
        verbs = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        if info.verb not in resource.verbs:
            raise method_not_allowed()
        return await verbs[info.verb](http, info, resource)

    async def _get(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        obj = self.store.get(resource.name, info.name, info.namespace)
        return answer(form_of(http).render(resource, obj))

    async def _list(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        objects, version = self.store.list_with_version(
            resource.name,
            info.namespace,
            label_selector=http.query.get("labelSelector", ""),
            field_selector=http.query.get("fieldSelector", ""),
        )
        return answer(form_of(http).render_list(resource, objects, version))

    async def _create(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        obj = check_shape(resource, await read_body(http))
        _within(obj, info)
        if resource.has_status and resource.name != "nodes":
            # As in Kubernetes: only what a kubelet registers has a status.
            obj.pop("status", None)
        made = self.store.create(obj, resource=resource.name, dry_run=_is_dry_run(http))
        return answer(form_of(http).render(resource, made), 201)

    async def _update(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        obj = check_shape(resource, await read_body(http))
        _within(obj, info)
        meta = obj.setdefault("metadata", {})
        if meta.get("name", "") != info.name:
            raise bad_request(
                f"the name of the object ({meta.get('name', '')}) does not match the "
                f"name on the URL ({info.name})"
            )
        obj |= {"apiVersion": resource.api_version, "kind": resource.kind}
        made = self.store.update(
            obj, subresource=info.subresource or None, dry_run=_is_dry_run(http)
        )
        return answer(form_of(http).render(resource, made))

    async def _patch(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        media = http.headers.get("Content-Type", "").partition(";")[0].strip()
        try:
            patch_type = PatchType(media)
        except ValueError:
            raise unsupported_media_type(media) from None
        exists = patch_type is not PatchType.APPLY or self._exists(info)
        made = self.store.patch(
            resource.name,
            info.name,
            await read_body(http),
            info.namespace,
            patch_type=patch_type,
            subresource=info.subresource or None,
            dry_run=_is_dry_run(http),
        )
        return answer(form_of(http).render(resource, made), 200 if exists else 201)

    def _exists(self, info: RequestInfo) -> bool:
        try:
            self.store.get(info.resource, info.name, info.namespace)
        except StatusError:
            return False
        return True

    async def _delete(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        options = await read_body(http) or {}
        conditions = options.get("preconditions") or {}
        policy = options.get("propagationPolicy") or http.query.get("propagationPolicy")
        gone = self.store.delete(
            resource.name,
            info.name,
            info.namespace,
            uid=conditions.get("uid"),
            resource_version=conditions.get("resourceVersion"),
            orphan=policy == "Orphan",
            dry_run=_is_dry_run(http) or options.get("dryRun") == ["All"],
        )
        details = {
            "name": info.name,
            "kind": info.plural,
            "uid": gone["metadata"]["uid"],
        }
        return answer(success(details | ({"group": info.group} if info.group else {})))

    async def _delete_collection(
        self, http: web.Request, info: RequestInfo, resource: Resource
    ) -> web.Response:
        options = await read_body(http) or {}
        dry_run = _is_dry_run(http) or options.get("dryRun") == ["All"]
        objects, version = self.store.list_with_version(
            resource.name,
            info.namespace,
            label_selector=http.query.get("labelSelector", ""),
            field_selector=http.query.get("fieldSelector", ""),
        )
        for obj in objects:
            meta = obj["metadata"]
            self.store.delete(
                resource.name, meta["name"], meta.get("namespace"), dry_run=dry_run
            )
        return answer(form_of(http).render_list(resource, objects, version))

    async def _token(self, http: web.Request, info: RequestInfo) -> web.Response:
        if info.verb != "create" or info.namespace is None:
            raise method_not_allowed()
        account = self.store.get("serviceaccounts", info.name, info.namespace)
        asked = (await read_body(http) or {}).get("spec") or {}
        lifetime_s = asked.get("expirationSeconds") or _TOKEN_LIFETIME_S
        identity = service_account(
            info.namespace, info.name, account["metadata"]["uid"]
        )
        token, expires = self.credentials.issue_token(
            identity, timedelta(seconds=lifetime_s)
        )
        assert expires is not None
        review = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": info.name, "namespace": info.namespace},
            "spec": {
                "audiences": asked.get("audiences") or ["lab"],
                "expirationSeconds": lifetime_s,
            },
            "status": {"token": token, "expirationTimestamp": timestamp(expires)},
        }
        return answer(review, 201)


def _within(obj: JsonObject, info: RequestInfo) -> None:
    meta = obj.setdefault("metadata", {})
    if info.namespace is None or info.plural == "namespaces":
        return
    if meta.setdefault("namespace", info.namespace) != info.namespace:
        raise bad_request(
            f"the namespace of the provided object ({meta['namespace']}) does not "
            f"match the namespace sent on the request ({info.namespace})"
        )
