"""One person on the watchlist: what the force says about them, as the manifest gave it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from datetime import date
from types import UnionType
from typing import Any, Literal, Self, get_args

Response = Literal["red", "amber", "green", "blue"]
RESPONSES: tuple[str, ...] = get_args(Response)
ENTRY_ID = re.compile(r"^\w[\w.-]{0,63}$")
MAX_WARNINGS = 8
MAX_LENGTH: dict[str, int] = {
    "id": 64,
    "category": 64,
    "label": 200,
    "source": 500,
    "legal_basis": 500,
    "requested_by": 200,
    "under_18_rationale": 2000,
}
"""Longest text of each field, characters; the alert's header has the same limits."""
MAX_WARNING_LENGTH = 64
_KINDS: dict[str, type | UnionType] = {
    "under_18": bool,
    "warnings": tuple,
    "review_date": date | None,
    "expires": date | None,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One person.

    Attributes
    ----------
    id
        The force's reference; letters, digits, `_`, `.` and `-`.
    category
        Why they are on the list, as the force groups it; a threshold may be set for each category.
    response
        What officers are to do: red, amber or green; blue marks a seeded officer who walks past on purpose.
    warnings
        Warning markers, at most 8.
    review_date, expires
        Days in UTC. An entry still stands on the day that it expires and is left out from the next on.
    under_18_rationale
        Why a child is on the list; never empty when `under_18` is set.
    """

    id: str
    category: str = "unspecified"
    label: str = ""
    response: Response = "amber"
    warnings: tuple[str, ...] = ()
    source: str = ""
    legal_basis: str = ""
    requested_by: str = ""
    review_date: date | None = None
    under_18: bool = False
    under_18_rationale: str = ""
    expires: date | None = None

    def __post_init__(self) -> None:
        if not ENTRY_ID.match(self.id):
            raise ValueError("id must be 1 to 64 letters, digits, '_', '.' or '-', and begin with a letter or digit")
        if self.response not in RESPONSES:
            raise ValueError(f"response must be one of {', '.join(RESPONSES)}")
        if not self.category:
            raise ValueError("category must not be empty")
        for name, longest in MAX_LENGTH.items():
            text = getattr(self, name)
            if len(text) > longest:
                raise ValueError(f"{name} is longer than {longest} characters")
            if any(ord(character) < 32 for character in text):
                raise ValueError(f"{name} holds control characters")
        if len(self.warnings) > MAX_WARNINGS or any(not 0 < len(w) <= MAX_WARNING_LENGTH for w in self.warnings):
            raise ValueError(f"warnings are at most {MAX_WARNINGS}, each of 1 to {MAX_WARNING_LENGTH} characters")
        if self.under_18 and not self.under_18_rationale:
            raise ValueError("under_18 needs its own under_18_rationale")

    @property
    def blue(self) -> bool:
        """Whether this is a seeded officer, never shown as a wanted person."""
        return self.response == "blue"

    def expired(self, today: date) -> bool:
        """Whether it expired on an earlier day than `today` (UTC)."""
        return self.expires is not None and self.expires < today

    def to_json(self) -> dict[str, Any]:
        """Plain values; dates as `2026-11-21`."""
        return {key: value.isoformat() if isinstance(value, date) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: object) -> Self:
        """The entry of `to_json`.

        Raises
        ------
        ValueError
            A field is unknown, missing or not allowed.
        """
        if not isinstance(document, dict) or set(document) - {field.name for field in fields(cls)}:
            raise ValueError("an entry has unknown fields")
        values: dict[str, Any] = dict(document)
        for name in ("review_date", "expires"):
            if values.get(name) is not None:
                values[name] = date.fromisoformat(values[name])
        values["warnings"] = tuple(values.get("warnings", ()))
        for name, value in values.items():
            if not isinstance(value, _KINDS.get(name, str)):
                raise ValueError(f"{name} has the wrong type")  # noqa: TRY004
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(str(error)) from None
