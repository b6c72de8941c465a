"""Reading a configuration file: YAML in, a checked root out, or an error that names file, key, given and allowed.

Knows no product: the root's class is passed in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from appliance.config.sections import Root
from appliance.core.credentials import mask_credentials
from appliance.core.errors import ConfigError

MAX_CONFIG_BYTES = 1_000_000

_R = TypeVar("_R", bound=Root)


class _Loader(yaml.SafeLoader):
    """YAML, but a date that no calendar has stays text, so that its key is named when it is checked."""

    def construct_moment(self, node: yaml.ScalarNode) -> object:
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_moment)


def load(path: Path, root: type[_R]) -> _R:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        Naming file, key, what was given and what is allowed; one line for each problem.
    """
    text = _read(path, root.EXAMPLE)
    try:
        document = _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: this is not YAML: {getattr(error, 'problem', error)}.") from None
    except (ValueError, LookupError, AttributeError, RecursionError):  # a wrong !!tag, or thousands of brackets
        raise ConfigError(f"{path} holds a value that YAML cannot make.", f"Start from {root.EXAMPLE}.") from None
    return parse(document, path, root)


def parse(document: object, path: Path, root: type[_R]) -> _R:
    """Check a document that was read from (or would be written to) `path`; paths in it become absolute.

    Raises
    ------
    ConfigError
        One line for each problem.
    """
    if not isinstance(document, dict):
        raise ConfigError(f"{path} does not hold a configuration.", f"Start from {root.EXAMPLE}.")
    try:
        config = root.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_describe(error, path)) from None
    return config.relative_to(path.resolve().parent)


def _read(path: Path, example: str) -> str:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ConfigError(f"{path} is not a file.", "Name the configuration, a YAML file, with -c.")
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes.", "It is not a configuration file.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist.", f"Name a configuration with -c; {example} is one.") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path} is not UTF-8 text.", "Save it as UTF-8, or name the configuration with -c."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", "Look at who may read it.") from None


def _describe(error: ValidationError, path: Path) -> str:
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        key = ".".join(str(part) for part in item["loc"]) or "the file"
        message = {
            "extra_forbidden": "is not a key that exists here; look for a typing mistake",
            "missing": "is missing and has no default",
        }.get(item["type"], item["msg"][0].lower() + item["msg"][1:])
        given = item.get("input")
        shown = ""
        if isinstance(given, str | int | float | bool) and item["type"] != "extra_forbidden":
            shown = f" (given: {mask_credentials(str(given))[:80]!r})"
        lines.append(f"{path}: {key} {message}{shown}")
    return "\n".join(lines)
