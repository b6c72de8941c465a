"""The fields of every message and request of the alert stream, from the JSON schema of the models that check them."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from appliance.alerts.messages import DECISION_VALUES, Alert, Decision, PreviewHeader, Sighting, Status
from appliance.stream.wire import ActRequest, End, FetchRequest, Refusal, RefusalCode, ReplayRequest

MESSAGES: tuple[type[BaseModel], ...] = (Alert, Decision, Sighting, Status, PreviewHeader)
REQUESTS: tuple[type[BaseModel], ...] = (ReplayRequest, FetchRequest, ActRequest, End, Refusal)
CODES: tuple[str, ...] = get_args(RefusalCode)

HEAD = "| field | type | allowed | default | meaning |\n|---|---|---|---|---|"
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "maxItems": "at most {}",
}


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of every message and request, under `$defs`."""
    models = [(model, "validation") for model in (*MESSAGES, *REQUESTS)]
    _, found = models_json_schema(models, by_alias=True, title="The alert stream")  # type: ignore[arg-type]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def schema_json() -> str:
    """The same as a file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def tables(models: tuple[type[BaseModel], ...]) -> str:
    """A table for each model, and for each part that it holds and that has no table yet."""
    definitions = {name: one for name, one in schema()["$defs"].items() if "properties" in one}
    own, roots = {model.__name__ for model in models}, {model.__name__ for model in (*MESSAGES, *REQUESTS)}
    wanted = [model.__name__ for model in models]
    done: list[str] = []
    while wanted:
        name = wanted.pop(0)
        if name in done or name not in definitions or (name in roots - own):
            continue
        done.append(name)
        parts = [part for field in definitions[name]["properties"].values() for part in _references(field)]
        wanted = [*parts, *wanted]
    return "\n\n".join(_table(name, definitions[name]) for name in done)


def decision_values() -> str:
    """What each kind of decision may say."""
    rows = (f"| `{kind}` | {', '.join(f'`{value}`' for value in values)} |" for kind, values in DECISION_VALUES.items())
    return "\n".join(["| kind | value |\n|---|---|", *rows])


def _references(field: Any) -> list[str]:
    if isinstance(field, dict):
        own = [field["$ref"].rpartition("/")[2]] if "$ref" in field else []
        return own + [name for value in field.values() for name in _references(value)]
    return [name for value in field for name in _references(value)] if isinstance(field, list) else []


def _table(name: str, definition: dict[str, Any]) -> str:
    required = set(definition.get("required", ()))
    rows = "\n".join(_row(key, field, key in required) for key, field in definition["properties"].items())
    about = " ".join(definition.get("description", "").split())
    return f"### {name}\n\n{about}\n\n{HEAD}\n{rows}"


def _row(key: str, field: dict[str, Any], required: bool) -> str:
    if not field.get("description"):
        raise ValueError(f"the field {key} has no description")
    default = "**required**" if required else f"`{json.dumps(field['default'])}`" if "default" in field else "made"
    if field.get("default") in ("", [], None) and not required:
        default = "–"
    cells = (f"`{key}`", _type(field), _allowed(field), default, field["description"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "any" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if field.get("format") == "date-time":
        return "time"
    if "enum" in field or "const" in field:
        return "one of"
    if field.get("type") == "array":
        items = field.get("items") or field.get("prefixItems") or {}
        return f"{len(items)} × {_type(items[0])}" if isinstance(items, list) else f"list of {_type(items)}"
    return str(field.get("type", "any"))


def _allowed(field: dict[str, Any]) -> str:
    options = [option for option in (field, *field.get("anyOf", ())) if "prefixItems" not in option]
    found = [f"`{json.dumps(value)}`" for option in options for value in _values(option)]
    found += [text.format(option[key]) for option in options for key, text in _LIMITS.items() if key in option]
    return ", ".join(found)


def _values(option: dict[str, Any]) -> list[Any]:
    return [*option.get("enum", ()), *([option["const"]] if "const" in option else [])]
