"""What is known of a watchlist without its people: while it is in use, and after it is destroyed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from appliance.core.clock import Moment, utc_now

if TYPE_CHECKING:
    from appliance.gallery.watchlist.sealed import Watchlist


class UsedList(BaseModel):
    """What is kept of a watchlist after it is destroyed: counts and identifiers, never a picture or a name.

    Attributes
    ----------
    blue_ids
        Ids of the seeded officers' entries (`lfr blue` checks against them); they are not wanted persons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    sequence: int = 0
    opened_at: Moment
    entries: int
    photos: int = 0
    by_category: dict[str, int] = Field(default_factory=dict)
    by_response: dict[str, int] = Field(default_factory=dict)
    blue_ids: tuple[str, ...] = ()
    builder: str = ""
    approvals: tuple[str, ...] = ()
    embedder: str = ""
    under_18: int = 0

    @classmethod
    def of(cls, opened: Watchlist, at: datetime | None = None) -> UsedList:
        """Count the entries of an opened list; blue-list entries are counted under `blue` and in no category."""
        wanted = [entry for entry in opened.entries if entry.response != "blue"]
        return cls(
            digest=opened.digest,
            sequence=opened.sequence,
            opened_at=at or utc_now(),
            entries=len(wanted),
            photos=len(opened.portraits),
            by_category=dict(sorted(Counter(entry.category for entry in wanted).items())),
            by_response=dict(sorted(Counter(entry.response for entry in wanted).items())),
            blue_ids=tuple(sorted(entry.id for entry in opened.entries if entry.response == "blue")),
            builder=opened.builder,
            approvals=tuple(approval.name for approval in opened.approvals),
            embedder=opened.embedder,
            under_18=sum(entry.under_18 for entry in wanted),
        )


@dataclass(frozen=True)
class OpenedList:
    """What a running appliance knows of the list that it recognises with; no picture and no template.

    Attributes
    ----------
    used
        What of it is kept.
    ids
        Of everybody on it, the blue-list entries too.
    expires_at
        When no camera may use it any more; None where it does not say.
    expired_ids
        Of people who were left out, their own entries being past their expiry.
    """

    used: UsedList
    ids: frozenset[str]
    expires_at: datetime | None = None
    expired_ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, opened: Watchlist) -> OpenedList:
        """The facts of a list that was opened; it may be wiped afterwards."""
        ids = frozenset(entry.id for entry in opened.entries)
        return cls(UsedList.of(opened), ids, opened.expires_at, opened.expired_ids)

    @property
    def digest(self) -> str:
        """SHA-256 of the sealed file, hexadecimal."""
        return self.used.digest

    @property
    def sequence(self) -> int:
        """Its place in the order of lists."""
        return self.used.sequence

    def __len__(self) -> int:
        return len(self.ids)
