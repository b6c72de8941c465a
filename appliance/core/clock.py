"""The time: now, as text, and as a field of a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def utc_text(moment: datetime) -> str:
    """A moment as the alert stream writes it: `2026-11-21T10:31:07.412Z` (UTC, milliseconds)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, PlainSerializer(utc_text, return_type=str)]
"""A time with a zone, written as `utc_text` writes it."""
