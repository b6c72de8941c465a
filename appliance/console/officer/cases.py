"""What the console knows of the alerts: headers and decisions in memory, a view of the stream that can be rebuilt."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from appliance.alerts.decisions import Standing, standing_of
from appliance.alerts.messages import Alert, Decision
from appliance.console.users import User
from appliance.core.clock import utc_text

MAX_CASES = 10_000
MAX_DECISIONS = 200
SNAPSHOT_UNDECIDED = 300
SNAPSHOT_OTHERS = 100

STATES = ("undecided", "match", "no_match", "cannot_tell")


@dataclass(slots=True)
class Case:
    """One alert and everything that people decided on it.

    Attributes
    ----------
    alert
        The header; no picture.
    decisions
        In the order of the journal, undone ones included.
    changed_seq
        Sequence number of the newest event on it.
    standing
        What the decisions come to.
    """

    alert: Alert
    decisions: list[Decision] = field(default_factory=list)
    changed_seq: int = 0
    standing: Standing[Decision] = field(init=False)

    def __post_init__(self) -> None:
        self.standing = standing_of(self.decisions)

    def add(self, decision: Decision, seq: int) -> bool:
        """Take in one more; False when it was known already."""
        if any(known.id == decision.id for known in self.decisions):
            return False
        bisect.insort(self.decisions, decision, key=lambda known: known.seq)
        while len(self.decisions) > MAX_DECISIONS:  # what no longer stands goes first, and always before its undo
            stands = {known.id for known in self.standing.by_kind.values()}
            del self.decisions[next(i for i, known in enumerate(self.decisions) if known.id not in stands)]
        self.changed_seq = max(self.changed_seq, seq)
        self.standing = standing_of(self.decisions)
        return True

    def with_decision(self, decision: Decision) -> Case:
        """As it will be once the stream has told of a decision: a copy, as old as what the stream has told so far."""
        told = self.changed_seq
        case = Case(self.alert, list(self.decisions), told)
        case.add(decision, told)
        return case

    def visible_to(self, user: User) -> bool:
        """Whether a user may see it at all: an engagement officer sees what was passed on, or what they decided on."""
        return user.may("alerts") or not self.standing.by_kind.keys().isdisjoint(("passed_on", "engagement", "outcome"))

    def as_json(self) -> dict[str, Any]:
        """What the page gets: it works out nothing by itself, and looks decisions up by their ids."""
        standing = self.standing
        tells_most = standing.tells_most
        return {
            "alert": self.alert.model_dump(mode="json"),
            "decisions": [decision.model_dump(mode="json") for decision in self.decisions],
            "standing": {kind: decision.id for kind, decision in standing.by_kind.items()},
            "undone": sorted(standing.undone),
            "tells_most": tells_most.id if tells_most else None,
            "state": standing.state,
            "waits": {"operator": standing.waits_for_operator, "engagement": standing.waits_for_engagement},
            "changed": self.changed_seq,
        }


class Cases:
    """Every alert that the journal still holds, newest last; at most `MAX_CASES` of them.

    Attributes
    ----------
    epoch
        The journal's name; when it changes everything starts again.
    seq
        Newest event that has been taken in.
    """

    def __init__(self, keep_hours: float | None = None) -> None:
        self.epoch = ""
        self.seq = 0
        self._keep = None if keep_hours is None else timedelta(hours=keep_hours)
        self._cases: dict[str, Case] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def clear(self, epoch: str = "") -> None:
        """Forget everything: another journal, or the alerts were purged."""
        self.epoch, self.seq = epoch, 0
        self._cases.clear()

    def get(self, alert_id: str) -> Case | None:
        """One case, or None."""
        return self._cases.get(alert_id)

    def visible(self, alert_id: str, user: User) -> Case | None:
        """One case, or None when there is none or this user may not see it."""
        case = self._cases.get(alert_id)
        return case if case is not None and case.visible_to(user) else None

    def add(self, event: Alert | Decision, seq: int) -> Case | None:
        """Take in one event; returns the case that it changed, None when it was known already."""
        self.seq = max(self.seq, seq)
        if isinstance(event, Alert):
            if event.id in self._cases:
                return None
            case = Case(event, [], seq)
            self._cases[event.id] = case
            while len(self._cases) > MAX_CASES:
                del self._cases[next(iter(self._cases))]
            return case
        known = self._cases.get(event.alert_id)
        return known if known is not None and known.add(event, seq) else None

    def expire(self, now: datetime) -> list[str]:
        """Forget alerts older than the journal keeps them; returns their ids."""
        if self._keep is None:
            return []
        old = [key for key, case in self._cases.items() if case.alert.captured_at + self._keep < now]
        for key in old:
            del self._cases[key]
        return old

    def all(self) -> list[Case]:
        """All cases, oldest first."""
        return list(self._cases.values())

    def newest_first(self, user: User) -> Iterator[Case]:
        """All cases that a user may see."""
        return (case for case in reversed(self._cases.values()) if case.visible_to(user))

    def snapshot(self, user: User) -> list[dict[str, Any]]:
        """What a page starts with: the newest undecided ones and the newest others, oldest first."""
        undecided, others, chosen = 0, 0, []
        for case in self.newest_first(user):
            if case.standing.waits_for_operator:
                undecided += 1
                if undecided <= SNAPSHOT_UNDECIDED:
                    chosen.append(case.as_json())
            else:
                others += 1
                if others <= SNAPSHOT_OTHERS:
                    chosen.append(case.as_json())
        return chosen[::-1]

    def beyond_snapshot(self, user: User) -> int:
        """How many undecided ones a snapshot leaves to the history."""
        undecided = sum(case.standing.waits_for_operator for case in self.newest_first(user))
        return max(0, undecided - SNAPSHOT_UNDECIDED)

    def changed_after(self, seq: int, user: User) -> list[tuple[Case, bool]]:
        """Cases with an event after `seq`, in that order, and whether the user may see each."""
        changed = sorted((c for c in self._cases.values() if c.changed_seq > seq), key=lambda c: c.changed_seq)
        return [(case, case.visible_to(user)) for case in changed]

    def search(
        self, user: User, *, camera: str = "", category: str = "", state: str = "", before: int = 0, limit: int = 50
    ) -> dict[str, Any]:
        """One page of the history, newest first.

        `before` is the sequence number from which to go back, 0 for the newest. The answer's `next` is the `before`
        of the following page, 0 when there is none; `cameras` and `categories` are what there is to choose from.
        """
        cameras: set[str] = set()
        categories: set[str] = set()
        found: list[Case] = []
        total = 0
        for case in self.newest_first(user):
            cameras.add(case.alert.camera)
            categories.add(case.alert.entry.category)
            if (
                (camera and case.alert.camera != camera)
                or (category and case.alert.entry.category != category)
                or (state and not _in_state(case, state))
            ):
                continue
            total += 1
            if (not before or case.alert.seq < before) and len(found) <= limit:
                found.append(case)
        more = len(found) > limit
        found = found[:limit]
        return {
            "alerts": [case.as_json() for case in found],
            "total": total,
            "next": found[-1].alert.seq if more and found else 0,
            "cameras": sorted(cameras),
            "categories": sorted(categories),
        }


def _in_state(case: Case, state: str) -> bool:
    if state in STATES:
        return case.standing.state == state
    return state in case.standing.by_kind


def event_id(epoch: str, seq: int) -> str:
    """How a position in the stream is written for a browser: `epoch:seq`."""
    return f"{epoch}:{seq}"


def parse_event_id(text: str) -> tuple[str, int]:
    """`epoch:seq` to its parts; an empty epoch when it is not one."""
    epoch, _, seq = text.rpartition(":")
    if not epoch or len(epoch) > 64 or not seq.isascii() or not seq.isdigit() or len(seq) > 15:
        return "", 0
    return epoch, int(seq)


def decision_words(decision: Decision) -> str:
    """`No match by j.doe at 2026-…`: for messages and evidence."""
    value = decision.value.replace("_", " ")
    return f"{value[0].upper()}{value[1:]} by {decision.by} at {utc_text(decision.at)}"
