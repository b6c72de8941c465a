"""The reference of a configuration as Markdown, made from its models: each key with limits, default, unit, meaning."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from appliance.config.sections import Endpoint, Listen, Root, Section

HEAD = "| key | type | allowed | default | unit | meaning |\n|---|---|---|---|---|---|"
_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    AwareDatetime: "time with zone",
}
_ADDRESSES = {Endpoint: "`tcp://127.0.0.1:PORT` or `ipc://PATH`", Listen: "`HOST:PORT`"}


def page(root: type[Root]) -> str:
    """The tables of all sections of a product, the root's first.

    Raises
    ------
    ValueError
        A key without a description.
    """
    return "\n\n".join(_section(root, "")) + "\n"


def keys(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key below a section, as `section.key` (`cameras[].name`, `categories.*.threshold`), with its field."""
    for name, field in section.model_fields.items():
        path = f"{prefix}{name}"
        yield path, field
        inner, suffix = _inner(field.annotation)
        if inner is not None:
            yield from keys(inner, f"{path}{suffix}.")


def _section(section: type[Section], path: str) -> Iterator[str]:
    title = f"## `{path}`" if path else "## The file"
    rows = "\n".join(_row(name, field) for name, field in section.model_fields.items())
    yield f"{title}\n\n{(section.__doc__ or '').strip()}\n\n{HEAD}\n{rows}"
    for name, field in section.model_fields.items():
        inner, suffix = _inner(field.annotation)
        if inner is not None:
            yield from _section(inner, f"{path}.{name}{suffix}" if path else f"{name}{suffix}")


def _row(name: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"the key {name} has no description")
    cells = (f"`{name}`", _type(field), _allowed(field), _default(field), unit(field), field.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def unit(field: FieldInfo) -> str:
    """The unit that a key's field names; empty where it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _options(annotation: Any) -> list[Any]:
    """The alternatives of a type without None, without their `Annotated` wrapping."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [one for part in get_args(annotation) for one in _options(part)]
    return [] if annotation is type(None) else [annotation]


def _inner(annotation: Any) -> tuple[type[Section] | None, str]:
    """The section that a key holds, and what its path ends in: `[]` for a list, `.*` for sections by name."""
    for option in _options(annotation):
        origin, args = get_origin(option), get_args(option)
        if isinstance(option, type) and issubclass(option, Section):
            return option, ""
        if origin in (tuple, list) and isinstance(args[0], type) and issubclass(args[0], Section):
            return args[0], "[]"
        if origin is dict and isinstance(args[1], type) and issubclass(args[1], Section):
            return args[1], ".*"
    return None, ""


def _type(field: FieldInfo) -> str:
    inner, suffix = _inner(field.annotation)
    if inner is not None:
        return {"": "section", "[]": "list of sections", ".*": "sections by name"}[suffix]
    (option,) = _options(field.annotation)
    if get_origin(option) is Literal:
        return "one of"
    while get_origin(option) is Annotated and option not in _WORDS:
        option = get_args(option)[0]
    return _WORDS[option]


def _allowed(field: FieldInfo) -> str:
    (option, *_) = _options(field.annotation)
    if get_origin(option) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(option))
    address = next((text for kind, text in _ADDRESSES.items() if set(get_args(kind)[1:]) & set(field.metadata)), "")
    if address:
        return address
    found = [*field.metadata, *(one for part in get_args(option)[1:] for one in getattr(part, "metadata", ()))]
    return ", ".join(text for one in found if (text := _bound(one)))


def _bound(constraint: Any) -> str:
    match constraint:
        case annotated_types.Ge(ge=limit):
            return f"≥ {limit}"
        case annotated_types.Gt(gt=limit):
            return f"> {limit}"
        case annotated_types.Le(le=limit):
            return f"≤ {limit}"
        case annotated_types.Lt(lt=limit):
            return f"< {limit}"
        case annotated_types.MinLen(min_length=limit):
            return f"at least {limit}"
        case annotated_types.MaxLen(max_length=limit):
            return f"at most {limit}"
    pattern = getattr(constraint, "pattern", None)
    return f"`{pattern}`" if pattern else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", {}) or isinstance(value, Section):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
