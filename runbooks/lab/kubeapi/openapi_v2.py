"""``/openapi/v2`` in protobuf: what kubectl before 1.27 looks into.

It holds paths without schemas: enough to learn that the server knows
``dryRun``, and nothing to validate objects with, which is then left out. Field
numbers are those of ``OpenAPIv2.proto`` of google/gnostic.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbooks.lab.kubeapi.resources import Catalogue, Resource

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_DOCUMENT_SWAGGER, _DOCUMENT_PATHS = 1, 8
_PATHS_PATH, _PATH_NAME, _PATH_VALUE, _ITEM_PATCH = 2, 1, 2, 8
_OPERATION_PARAMETERS, _OPERATION_EXTENSION = 8, 13
_EXTENSION_NAME, _EXTENSION_VALUE, _ANY_YAML = 1, 2, 2
# ParametersItem.parameter, Parameter.non_body, NonBody.query: a name within.
_PARAMETER, _NON_BODY, _QUERY, _QUERY_NAME = 1, 2, 3, 4


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, content: bytes | str) -> bytes:
    if isinstance(content, str):
        content = content.encode()
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _operation(resource: Resource) -> bytes:
    query = _field(_QUERY_NAME, "dryRun")
    for number in (_QUERY, _NON_BODY, _PARAMETER):
        query = _field(number, query)
    kind = {
        "group": resource.group,
        "version": resource.version,
        "kind": resource.kind,
    }
    extension = _field(_EXTENSION_NAME, "x-kubernetes-group-version-kind")
    # JSON is YAML.
    extension += _field(_EXTENSION_VALUE, _field(_ANY_YAML, json.dumps(kind)))
    return _field(_OPERATION_PARAMETERS, query) + _field(
        _OPERATION_EXTENSION, extension
    )


def openapi_v2(catalogue: Catalogue) -> bytes:
    """Encode the document.

    Args:
        catalogue: What is served.
    """
    paths = b""
    for resource in catalogue:
        if resource.stored:
            item = _field(_ITEM_PATCH, _operation(resource))
            root = f"/apis/{resource.api_version}" if resource.group else "/api/v1"
            path = _field(_PATH_NAME, f"{root}/{resource.plural}/{{name}}")
            paths += _field(_PATHS_PATH, path + _field(_PATH_VALUE, item))
    return _field(_DOCUMENT_SWAGGER, "2.0") + _field(_DOCUMENT_PATHS, paths)
