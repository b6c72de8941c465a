"""The configuration file: YAML, checked by models that forbid unknown keys and name units in every key.

An error names file, key, what was given and what is allowed. Relative paths are relative to the file. Secrets never
appear in it, only the paths of files that hold them.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from appliance.core.credentials import mask_credentials
from appliance.core.errors import ConfigError

MAX_CONFIG_BYTES = 1_000_000
_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}


def _loopback_endpoint(value: object) -> object:
    """Refuse an endpoint that a machine elsewhere could reach: the stream is not encrypted yet."""
    if not isinstance(value, str):
        return value
    url = urlsplit(value)
    if url.scheme == "ipc" and value.removeprefix("ipc://"):
        return value
    host, _, port = url.netloc.rpartition(":")
    if url.scheme != "tcp" or not port.isdigit() or not 0 < int(port) < 65536:
        raise PydanticCustomError("endpoint", "must look like tcp://127.0.0.1:5556 or ipc:///path/of/socket")
    if host not in _LOOPBACK:
        raise PydanticCustomError(
            "endpoint", "must be a loopback (tcp://127.0.0.1:PORT) or ipc:// address: the stream is not encrypted"
        )
    return value


def _listen(value: object) -> object:
    if isinstance(value, str):
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise PydanticCustomError("listen", "must look like 127.0.0.1:8080")
    return value


Endpoint = Annotated[str, BeforeValidator(_loopback_endpoint)]
Listen = Annotated[str, BeforeValidator(_listen)]
Share = Annotated[float, Field(ge=0, le=1)]
Similarity = Annotated[float, Field(gt=-1, lt=1)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)


class AuthorisedBy(Section):
    """Who allowed something, and when."""

    name: str = Field("", description="the person's name")
    rank: str = Field("", description="rank or role that gives the power to authorise")
    at: AwareDatetime | None = Field(None, description="when, with a time zone: 2026-11-20T16:00:00Z")


class Signs(Section):
    """The checklist of signs that tell the public."""

    posted: bool = Field(False, description="signs stand where people can read them before they are in view")
    checked_by: str = Field("", description="who looked")
    at: AwareDatetime | None = Field(None, description="when they looked")


class Deployment(Section):
    """The record that allows this deployment. `deployment.authority` judges whether it is complete."""

    id: str = Field(pattern=_ID, description="names this deployment everywhere; letters, digits, . _ -")
    location: str = Field("", description="where the cameras stand, as the public would say it")
    purpose: str = Field("", description="what it is for")
    legal_basis: str = Field("", description="the power or policy that it rests on")
    necessity: str = Field("", description="why this is needed, and why nothing milder would do")
    proportionality: str = Field("", description="why the gain outweighs what it does to those who pass")
    authorised_by: AuthorisedBy = Field(default_factory=AuthorisedBy)
    signs: Signs = Field(default_factory=Signs)
    starts: AwareDatetime = Field(description="recognition may run from here, with a time zone")
    ends: AwareDatetime = Field(description="recognition stops here and the watchlist is destroyed")

    @model_validator(mode="after")
    def _window(self) -> Deployment:
        if self.ends <= self.starts:
            raise PydanticCustomError("window", "ends must be after starts")
        if self.ends - self.starts > timedelta(hours=24):
            raise PydanticCustomError("window", "a deployment lasts 24 hours at most; ends is later than that")
        return self


class WatchlistFile(Section):
    """Where the sealed watchlist is, what opens it, and whose signatures it needs."""

    file: Path = Field(description="the sealed watchlist (.lfrw)")
    key: Path = Field(description="this appliance's secret sealing key (mode 0600)")
    max_entries: int = Field(10_000, ge=1, le=10_000, description="more people than this are refused")
    builders: Path | None = Field(
        None, description="folder of builders' public keys (*.pub); default: builders/ beside the key"
    )
    approvers: Path | None = Field(
        None, description="folder of approvers' public keys (*.pub); default: approvers/ beside the key"
    )
    approvals: int = Field(2, ge=0, le=9, description="distinct approvals that the list needs, none by its builder")

    @property
    def builders_dir(self) -> Path:
        """Folder of the public keys of people whose lists are taken."""
        return self.builders or self.key.parent / "builders"

    @property
    def approvers_dir(self) -> Path:
        """Folder of the public keys of people whose approval counts."""
        return self.approvers or self.key.parent / "approvers"


class Models(Section):
    """Which models of the manifest run, and where."""

    detector: str = Field("centerface", pattern=_NAME)
    embedder: str = Field("mobilefacenet", pattern=_NAME)
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto", description="auto takes the best that runs and says which; a named one must run or the start fails"
    )
    dir: Path | None = Field(None, description="folder of manifest.yaml and the prepared models; default: models/")
    threads: int = Field(1, ge=0, le=64, description="CPU threads a session may use; 0 lets the runtime choose")


class Camera(Section):
    """One camera and the process that looks through it."""

    name: str = Field(pattern=_NAME, description="lower-case letters, digits, - and _")
    source: str = Field(
        min_length=1, repr=False, description="rtsp://…, /dev/video0, a video or GIF file, a folder, test:, street:…"
    )
    credentials: Path | None = Field(None, description="file with one line USER:PASSWORD for the source (mode 0600)")
    purpose: str = Field("", description="what this camera looks at and why, for the deployment's record")
    pace: Literal["realtime", "fast"] = Field(
        "realtime", description="files only; fast takes every frame in media time and drops none"
    )
    min_face_px: int = Field(40, ge=16, le=400, description="smallest face (box height, pixels) worth finding")
    preview_fps: float = Field(2.0, ge=0, le=10, description="redacted pictures a second for the console; 0 for none")
    preview_width_px: int = Field(640, ge=160, le=1920)

    @property
    def safe_source(self) -> str:
        """The source as it may be shown: without user and password."""
        return mask_credentials(self.source)


class CategoryRule(Section):
    """What differs for one category of the watchlist."""

    threshold: Similarity | None = Field(None, description="instead of matching.threshold")
    threshold_set_by: str = Field("", description="who set it, where it is not the model's own")
    threshold_reason: str = Field("", description="why")


class Matching(Section):
    """When a candidate becomes an alert."""

    threshold: Similarity | None = Field(None, description="cosine similarity; default: the embedder's own (manifest)")
    threshold_set_by: str = Field("", description="who set a threshold other than the model's own")
    threshold_reason: str = Field("", description="why")
    cooldown_s: float = Field(60, ge=0, le=3600, description="no second alert of one entry at one camera within this")
    categories: dict[str, CategoryRule] = Field(default_factory=dict)


class Redaction(Section):
    """How faces become irrecognisable."""

    style: Literal["pixelate", "solid"] = "pixelate"


class Alerts(Section):
    """Where alerts are kept and told."""

    state_dir: Path = Field(description="journal, audit record and state; on a durable disk")
    publish: Endpoint = "tcp://127.0.0.1:5556"
    replay: Endpoint = "tcp://127.0.0.1:5557"
    keep_hours: float = Field(24, gt=0, le=744, description="alerts are purged this long after they were captured")


class Console(Section):
    """The officers' page."""

    listen: Listen = "127.0.0.1:8080"
    users: Path | None = Field(None, description="file of users made by lfr users; default: users.json in state_dir")
    tls_cert: Path | None = Field(None, description="the force's certificate chain, PEM")
    tls_key: Path | None = Field(None, description="its secret key, PEM (mode 0600)")
    session_hours: float = Field(8, gt=0, le=24, description="a sign-in lasts this long")
    idle_minutes: float = Field(60, gt=0, le=1440, description="and this long without a click")

    @model_validator(mode="after")
    def _tls(self) -> Console:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise PydanticCustomError("tls", "tls_cert and tls_key belong together: give both or neither")
        if self.tls_cert is None and self.listen.rpartition(":")[0] not in _LOOPBACK:
            raise PydanticCustomError("tls", "listening beyond this machine needs tls_cert and tls_key")
        return self


class Metrics(Section):
    """Where Prometheus scrapes."""

    listen: Listen = "127.0.0.1:9100"


class Guard(Section):
    """What happens when officers find too many alerts false."""

    false_alert_rate: Share = Field(0.001, description="limit of false alerts over people seen")
    on_breach: Literal["warn", "stop"] = "warn"


class Config(Section):
    """The whole configuration file."""

    deployment: Deployment
    watchlist: WatchlistFile
    models: Models = Field(default_factory=Models)
    cameras: tuple[Camera, ...] = Field(min_length=1, max_length=32)
    matching: Matching = Field(default_factory=Matching)
    redaction: Redaction = Field(default_factory=Redaction)
    alerts: Alerts
    console: Console | None = None
    metrics: Metrics = Field(default_factory=Metrics)
    guard: Guard = Field(default_factory=Guard)

    @model_validator(mode="after")
    def _camera_names(self) -> Config:
        names = [camera.name for camera in self.cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PydanticCustomError("names", "two cameras are called {name}", {"name": ", ".join(twice)})
        return self

    @property
    def users_file(self) -> Path:
        """Where `lfr users` keeps who may sign in."""
        return (self.console.users if self.console else None) or self.alerts.state_dir / "users.json"


_S = TypeVar("_S", bound=Section)


def _absolute(section: _S, base: Path) -> _S:
    """The section with every relative path in it made relative to `base`."""
    changes: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changes[name] = Path(os.path.normpath(base / value.expanduser()))
        elif isinstance(value, Section):
            changes[name] = _absolute(value, base)
        elif isinstance(value, tuple):
            changes[name] = tuple(_absolute(item, base) for item in value)
    if isinstance(section, Alerts):
        for name in ("publish", "replay"):
            scheme, _, where = getattr(section, name).partition("://")
            if scheme == "ipc" and not where.startswith(("/", "@")):
                changes[name] = f"ipc://{os.path.normpath(base / where)}"
    if isinstance(section, Camera) and not re.match(r"^([a-z]+:|/)", section.source, re.IGNORECASE):
        changes["source"] = os.path.normpath(base / section.source)
    return section.model_copy(update=changes)


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


def parse(document: object, path: Path) -> Config:
    """Check a document that was read from (or would be written to) `path`.

    Raises
    ------
    ConfigError
        One line for each problem.
    """
    if not isinstance(document, dict):
        raise ConfigError(f"{path} does not hold a configuration.", "Start from config/van.yaml.")
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_describe(error, path)) from None
    return _absolute(config, path.resolve().parent)


class _Loader(yaml.SafeLoader):
    """YAML, but a date that no calendar has stays text, so that its key is named when it is checked."""

    def construct_moment(self, node: yaml.ScalarNode) -> object:
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_moment)


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        Naming file, key, what was given and what is allowed; one line for each problem.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ConfigError(f"{path} is not a file.", "Name the configuration, a YAML file, with -c.")
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes.", "It is not a configuration file.")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist.", "Name a configuration with -c; config/van.yaml is one.") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path} is not UTF-8 text.", "Save it as UTF-8, or name the configuration with -c."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", "Look at who may read it.") from None
    try:
        document = _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: this is not YAML: {getattr(error, 'problem', error)}.") from None
    except (ValueError, LookupError, AttributeError, RecursionError):  # a wrong !!tag, or thousands of brackets
        raise ConfigError(f"{path} holds a value that YAML cannot make.", "Start from config/van.yaml.") from None
    return parse(document, path)
