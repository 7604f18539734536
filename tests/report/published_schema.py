"""The published schema, and one that also refuses what it doesn't name."""

import json
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(
    files("runbooks.report").joinpath("schema/check-1.json").read_text("utf-8")
)


def strict(schema: Any) -> Any:
    """Close a schema: no unnamed keys, and none of the codes that may come."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed["additionalProperties"] = False
    return closed


STRICT = strict(SCHEMA)
STRICT["$defs"]["code"] = STRICT["$defs"]["code"]["anyOf"][0]

published = Draft202012Validator(SCHEMA)
closed = Draft202012Validator(STRICT)
