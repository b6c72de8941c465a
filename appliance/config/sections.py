"""Parts that every product's configuration is made of, and the checks that several of them share.

A key's `Field` says what it means and, for a number, its unit (`json_schema_extra={"unit": …}`): the reference page and
the editor's schema are generated from that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
"""What becomes part of a topic, a label or a file's name."""
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
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

    def relative_to(self, base: Path) -> Self:
        """This section with every relative path in it taken as relative to the folder `base`."""
        changes: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Path):
                changes[name] = Path(os.path.normpath(base / value.expanduser()))
            elif isinstance(value, Section):
                changes[name] = value.relative_to(base)
            elif isinstance(value, tuple):
                changes[name] = tuple(item.relative_to(base) if isinstance(item, Section) else item for item in value)
        return self.model_copy(update=changes)


class Root(Section):
    """The whole configuration file of one product.

    Attributes
    ----------
    EXAMPLE
        The repository's documented example, which an error names as the place to start from.
    """

    EXAMPLE: ClassVar[str]


class Models(Section):
    """Which models of the manifest run, and where."""

    detector: str = Field("centerface", pattern=NAME, description="finds faces; a name in `models/manifest.yaml`")
    embedder: str = Field(
        "mobilefacenet",
        pattern=NAME,
        description="turns a face into a template; the watchlist must be built with the same one",
    )
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto", description="auto takes the best that runs and says which; a named one must run or the start fails"
    )
    dir: Path | None = Field(
        None, description="folder of `manifest.yaml` and the prepared models; default: `models/` of the checkout"
    )
    threads: int = Field(
        1,
        ge=0,
        le=64,
        description="what a camera's models may use of the CPU; 0 lets the runtime choose",
        json_schema_extra={"unit": "threads"},
    )


class Redaction(Section):
    """How the faces of all others become irrecognisable, in every picture that leaves a camera's process."""

    style: Literal["pixelate", "solid"] = Field(
        "pixelate", description="pixelate keeps the colours of hair and light; solid keeps nothing"
    )


class Alerts(Section):
    """Where alerts are kept and told."""

    state_dir: Path = Field(description="journal, audit record and state; on a durable disk, one deployment at a time")
    publish: Endpoint = Field(
        "tcp://127.0.0.1:5556", description="where the alert stream is published; loopback or `ipc://` only"
    )
    replay: Endpoint = Field(
        "tcp://127.0.0.1:5557", description="where readers ask for what they missed, and decide; likewise"
    )
    keep_hours: float = Field(
        24,
        gt=0,
        le=744,
        description="alerts are purged this long after they were captured",
        json_schema_extra={"unit": "hours"},
    )

    def relative_to(self, base: Path) -> Self:
        """Also a socket's file, unless it is an abstract name (`ipc://@…`)."""
        changes = {}
        for name in ("publish", "replay"):
            scheme, _, where = getattr(self, name).partition("://")
            if scheme == "ipc" and not where.startswith(("/", "@")):
                changes[name] = f"ipc://{os.path.normpath(base / where)}"
        return super().relative_to(base).model_copy(update=changes)


class Console(Section):
    """The officers' page; without this section none is started."""

    listen: Listen = Field("127.0.0.1:8080", description="address and port; beyond this machine it needs the tls_ keys")
    users: Path | None = Field(None, description="file made by `lfr users`; default: `users.json` in state_dir")
    tls_cert: Path | None = Field(None, description="the force's certificate chain, PEM")
    tls_key: Path | None = Field(None, description="its secret key, PEM (mode 0600)")
    session_hours: float = Field(
        8, gt=0, le=24, description="a sign-in lasts this long", json_schema_extra={"unit": "hours"}
    )
    idle_minutes: float = Field(
        60, gt=0, le=1440, description="and this long without a click", json_schema_extra={"unit": "minutes"}
    )

    @model_validator(mode="after")
    def _tls(self) -> Console:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise PydanticCustomError("tls", "tls_cert and tls_key belong together: give both or neither")
        if self.tls_cert is None and self.listen.rpartition(":")[0] not in _LOOPBACK:
            raise PydanticCustomError("tls", "listening beyond this machine needs tls_cert and tls_key")
        return self


class Metrics(Section):
    """Where Prometheus scrapes."""

    listen: Listen = Field("127.0.0.1:9100", description="address and port of `/metrics`")
