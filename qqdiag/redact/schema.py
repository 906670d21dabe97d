"""The JSON Schema (draft 2020-12) of the document that `document.py` makes, derived from the snapshot's own types.

What is derived cannot fall behind: a field that is added to the snapshot is in the schema as soon as it is printed.
"""

from __future__ import annotations

import types
import typing
from typing import Union

import msgspec

from qqdiag.episodes import Timeline
from qqdiag.finding import Confidence, Severity
from qqdiag.model import Say, Text
from qqdiag.redact.document import SCHEMA_VERSION
from qqdiag.snapshot import Snapshot

Schema = dict[str, typing.Any]

STRING: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
OPTIONAL_STRING: Schema = {"type": ["string", "null"]}


def json_schema() -> Schema:
    """The schema of `inspect --json` and `report --format json`."""
    definitions: dict[str, Schema] = {}
    snapshot = _of(Snapshot, definitions)
    top = _object(
        {
            "schema_version": {"const": SCHEMA_VERSION},
            "private": {"type": "boolean", "description": "made with --raw: never post it"},
            "target": _object({"pid": {"type": "integer"}, "origin": {"enum": ["live", "core", "capture"]}}),
            "verdict": {"enum": ["matched", "clear", "unknown"]},
            "findings": _array(_finding()),
            "missing": _array(_object({"section": OPTIONAL_STRING, "reason": STRING, "hint": STRING})),
            "pause_ms": {"type": "number", "minimum": 0, "description": "milliseconds that the target stood still"},
            "omitted": {"type": "object", "additionalProperties": COUNT, "description": "rows left out, by table"},
            "dropped": {"type": "array", "items": STRING, "description": "sections left out with --drop"},
            "timeline": {
                "anyOf": [_of(Timeline, definitions), {"type": "null"}],
                "description": "null: no log tells any",
            },
            "snapshot": snapshot,
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "qqdiag",
        "oneOf": [top, _error()],
        "$defs": dict(sorted(definitions.items())),
    }


def _error() -> Schema:
    """What is printed instead when a command could not run."""
    error = _object({"kind": STRING, "message": STRING, "hint": STRING})
    return _object({"schema_version": {"const": SCHEMA_VERSION}, "error": error})


def _finding() -> Schema:
    return _object(
        {
            "id": STRING,
            "severity": {"enum": [str(one) for one in Severity]},
            "confidence": {"enum": [str(one) for one in Confidence]},
            "because": STRING,
            "summary": STRING,
            "evidence": _array(
                _object(
                    {
                        "text": STRING,
                        "section": OPTIONAL_STRING,
                        "value": {"type": ["string", "number", "boolean", "null"]},
                        "unit": OPTIONAL_STRING,
                    }
                )
            ),
            "ruled_out": _array(_object({"id": STRING, "reason": STRING})),
            "alternatives": _array(_object({"id": STRING, "decides": STRING})),
            "tasks": _array({"type": "integer", "description": "Task.address"}),
            "sockets": _array({"type": "integer", "description": "file descriptor"}),
            "consequence_of": OPTIONAL_STRING,
            "fingerprint": OPTIONAL_STRING,
        }
    )


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _of(hint: object, definitions: dict[str, Schema]) -> Schema:
    """What `Publisher.tree` makes of a value of this type. TypeError for one that it does not take."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _any([_of(one, definitions) for one in arguments])
    if origin is list:
        return _array(_of(arguments[0], definitions))
    if hint is type(None):
        return {"type": "null"}
    if isinstance(hint, type):
        if issubclass(hint, msgspec.Struct):
            return _struct(hint, definitions)
        for kind, schema in PLAIN:
            if issubclass(hint, kind):
                return schema
    raise TypeError(f"no public form is declared for {hint}")


# In this order: a bool is an int. A number that is none (NaN, infinity) is null.
PLAIN: tuple[tuple[type, Schema], ...] = (
    (Text, STRING),
    (Say, STRING),
    (bool, {"type": "boolean"}),
    (int, {"type": "integer"}),
    (float, {"type": ["number", "null"]}),
)


def _any(schemas: list[Schema]) -> Schema:
    """`type: [a, b]` where only types are said, else `anyOf`."""
    if all(set(schema) == {"type"} for schema in schemas):
        kinds = [schema["type"] for schema in schemas]
        flat = [one for kind in kinds for one in (kind if isinstance(kind, list) else [kind])]
        return {"type": list(dict.fromkeys(flat))}
    return {"anyOf": schemas}


def _struct(struct: type[msgspec.Struct], definitions: dict[str, Schema]) -> Schema:
    name = struct.__name__
    if name not in definitions:
        definitions[name] = {}  # one that holds itself comes back to this
        hints = typing.get_type_hints(struct)
        tag = struct.__struct_config__.tag
        fields: dict[str, Schema] = {"type": {"const": str(tag)}} if tag else {}
        fields |= {field: _of(hints[field], definitions) for field in struct.__struct_fields__}
        definitions[name] = _object(fields)
    return {"$ref": f"#/$defs/{name}"}
