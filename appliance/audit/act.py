"""What every act that is recorded has: a name, details of known form, and text that holds no data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from appliance.core.errors import ActRefused

APPLIANCE: Final = "appliance"
"""Who did it, where the appliance did it by itself."""
MAX_TEXT: Final = 4_000
MAX_PATH: Final = 4_096
MAX_UNBROKEN: Final = 128
"""Longest run of letters and digits without a space: a SHA-512 in hex fits, a picture or a template does not."""
IDS_PER_LINE: Final = 500

_UNBROKEN = re.compile(rf"[A-Za-z0-9+/=_-]{{{MAX_UNBROKEN + 1},}}")


def _looks_encoded(run: str) -> bool:
    """Whether a long unbroken run is data; the path of a file is as long as its folders make it."""
    parts = run.split("/")
    is_path = run.startswith("/") and not run.startswith("/9j/")  # the latter is how a JPEG begins in base64
    return not is_path or max(map(len, parts)) > MAX_UNBROKEN


def _clean(value: Any) -> Any:
    """Text that can be written: the name of a file may hold bytes that are no UTF-8."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _given(value: Any) -> Any:
    """What somebody wrote; refused where it looks like encoded data."""
    value = _clean(value)
    if isinstance(value, str) and any(map(_looks_encoded, _UNBROKEN.findall(value))):
        raise ValueError("looks like encoded data; the audit record holds ids, never pictures or templates")
    return value


def _said(value: Any) -> Any:
    """What the appliance says: too much of it is cut and not refused, for its acts happened already."""
    value = _clean(value)
    if not isinstance(value, str):
        return value
    value = _UNBROKEN.sub(lambda run: "…" if _looks_encoded(run[0]) else run[0], value)
    return value if len(value) <= MAX_TEXT else f"{value[: MAX_TEXT - 1]}…"


Name = Annotated[str, BeforeValidator(_clean), Field(max_length=128)]
"""An identifier: of a deployment, an entry, an alert, a camera, a person who works with the appliance."""
Text = Annotated[str, BeforeValidator(_given), Field(max_length=MAX_TEXT)]
"""What a person gave, in the configuration or on the command line."""
Sentence = Annotated[str, BeforeValidator(_said)]
"""What the appliance says, at most `MAX_TEXT` characters."""
PathText = Annotated[str, BeforeValidator(_clean), Field(max_length=MAX_PATH)]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Count = Annotated[int, Field(ge=0)]
Ids = Annotated[tuple[Name, ...], Field(max_length=IDS_PER_LINE)]


class Act(BaseModel):
    """The details of one act; a subclass names the act, or the acts, that it describes.

    Raises
    ------
    ActRefused
        When made of what does not fit; it names the act and the field.

    Attributes
    ----------
    names
        The names of the acts.
    by_readers
        Whether a reader of the stream (a console) may ask the hub to record it. The others are recorded by whoever
        does them, so that nobody can claim by message that something was destroyed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    names: ClassVar[tuple[str, ...]] = ()
    by_readers: ClassVar[bool] = False

    def __init__(self, /, **details: Any) -> None:
        try:
            super().__init__(**details)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "its details"
            why = first["msg"].removeprefix("Value error, ")
            raise ActRefused(f"The audit record refuses {self.called(details)}: {where}: {why}.") from None

    @classmethod
    def called(cls, _details: Mapping[str, Any]) -> str:
        """The name of the act that has these details."""
        return cls.names[0]

    @property
    def name(self) -> str:
        """The name of this act."""
        return self.called(self.__dict__)

    def as_json(self) -> dict[str, Any]:
        """The details as a line of the record holds them: what was given, and no more."""
        return self.model_dump(mode="json", exclude_unset=True)


class StateAct(Act):
    """An act that changes `deployment.json`, with the hash of the file that it wrote."""

    state_sha256: Sha256 = Field("", description="of the deployment.json that belongs to this act; empty: of none")

    def with_state(self, digest: str) -> Self:
        """The same act with the hash of the file that it wrote."""
        return self.model_copy(update={"state_sha256": digest})
