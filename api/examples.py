"""Examples for the OpenAPI document, made from its schemas: every value is one that its schema takes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_DEPTH: Final = 8
_UUID: Final = "0198f3a2-7c1e-7d4b-9a53-2f6c8e1b4d70"
_TIME: Final = "2026-11-23T09:30:00Z"
_BY_NAME: Final[Mapping[str, object]] = {
    "email": "ann@example.com",
    "name": "Ann Arbor",
    "text": "Thank you, this is on its way.",
    "subject": "Your order",
    "phone_number": "+15550100",
    "filename": "offer.pdf",
    "mime": "application/pdf",
    "locale": "en",
    "language": "en",
    "message": "There is no such conversation.",
    "detail": "There is no such conversation.",
    "token": "mh_live_0352JplkUd33o6MsvLschq_…",
    "size_bytes": 48213,
    "workspace_id": 1,
    "seq": 1042,
    "version": 1042,
}
_BY_FORMAT: Final[Mapping[str, str]] = {"uuid": _UUID, "date-time": _TIME}


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "", depth: int = 0) -> object:
    """
    Make one value a schema takes.

    Args:
        schema: JSON Schema as msgspec writes it.
        components: Schemas that ``$ref`` names.
        name: Of the field, which says more of what is usual than its type.
        depth: How far inside we are; rows that hold their own kind end somewhere.

    Returns:
        JSON values.
    """
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components, name, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        some = [one for one in choices if one.get("type") != "null"]
        return example_of(some[0], components, name, depth) if depth < _MOST_DEPTH else None
    match schema.get("type"):
        case "object":
            return _object(schema, components, depth)
        case "array":
            return _array(schema, components, name, depth)
        case "integer" | "number":
            known = _BY_NAME.get(name)
            return known if isinstance(known, int) else max(int(schema.get("minimum", 1)), 1)
        case "boolean":
            return False
        case "string":
            known = _BY_NAME.get(name)
            plain = known if isinstance(known, str) else "text"
            return _BY_FORMAT.get(schema.get("format", ""), plain)
    return None


def _object(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> dict[str, object]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if depth >= _MOST_DEPTH:
        properties = {name: properties[name] for name in schema.get("required", ()) if name in properties}
    return {name: example_of(one, components, name, depth + 1) for name, one in properties.items()}


def _array(schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int) -> list[object]:
    if "prefixItems" in schema:
        return [example_of(one, components, name, depth + 1) for one in schema["prefixItems"]]
    items = schema.get("items")
    return [example_of(items, components, name, depth + 1)] if items and depth < _MOST_DEPTH else []
