"""The certificate of destruction: what was destroyed, when, by whom and how that was checked, as HTML and JSON.

It is made from the audit record's acts, so that it is complete also when the end was interrupted and continued.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, FieldSerializationInfo, field_serializer

from appliance import __version__
from appliance.audit.chain import AuditLine
from appliance.audit.record import AuditRecord
from appliance.config.live import Config
from appliance.core.clock import Moment, utc_now
from appliance.core.files import write_private
from appliance.deployment.list_facts import UsedList
from appliance.deployment.pages import render
from appliance.deployment.store import Store

QUALITY_REPORT: Final = "quality report with photos"
"""What is destroyed before the end already, when recognition starts."""
FLASH: Final = (
    "A flash disk (SSD, memory card) may keep old copies of overwritten blocks that no program can reach: it spreads "
    "writing over spare blocks. That is why the sealing key was destroyed first. The watchlist was only ever on this "
    "disk encrypted for that key (X25519, ChaCha20-Poly1305), so what a spare block may hold of it cannot be read "
    "without the key. A spare block may hold the key itself; whoever must exclude that keeps the key on an encrypted "
    "disk or destroys the disk."
)
MEMORY: Final = (
    "Templates and photos were decrypted to memory only. The processes that held them were told to overwrite them and "
    "have ended."
)
ELSEWHERE: Final = (
    "Copies on other machines and media (where the list was built, backups, the photos that it was made from) are not "
    "covered by this certificate."
)
SWAP: Final = (
    "Swap space is in use on this machine: parts of the processes' memory may have been written there. Use encrypted "
    "swap, or none."
)
CLEARED: Final = (
    "The search found remains in {}. They were not destroyed by this program; at {at}, when {by} asked for the end "
    "again, the files were no longer there."
)
CUT_OFF: Final = (
    "The end was interrupted after the key had been overwritten and was continued later; the key's bytes could then no "
    "longer be searched for."
)
_TOLD_OF_A_LIST: Final = ("digest", "sequence", "entries", "opened_at")


class Destroyed(BaseModel):
    """One thing that was destroyed."""

    what: str
    path: str
    bytes: int = 0
    sha256: str = ""
    begun_at: str = ""
    done: bool = False
    destroyed_at: str = ""
    how: str = "overwritten with random bytes, written through to the disk, removed"
    checked: str = ""


class Search(BaseModel):
    """What was searched afterwards, and what for."""

    at: str
    files: int
    bytes: int
    searched_for: list[str]
    found: int
    unread: int = 0
    unread_examples: list[str] = Field(default_factory=list)


class Certificate(BaseModel):
    """The certificate as JSON holds it.

    Attributes
    ----------
    complete
        Everything is gone and the search found nothing.
    lists
        The watchlists that the destroyed key opened; the document names them by digest, sequence and entries only.
    audit_n, audit_head
        Number and hash of the audit record's newest act; keep them elsewhere, `lfr audit verify --head` checks them.
    """

    v: int = 1
    made_at: Moment
    software: str
    deployment: str
    location: str
    begun_at: Moment | None
    ended_at: Moment | None
    by: str
    reason: str
    complete: bool
    problems: list[str]
    destroyed: list[Destroyed]
    search: Search | None
    lists: list[UsedList]
    alerts_kept_until: Moment | None
    alerts_purged_at: Moment | None
    alerts_purged: int
    remarks: list[str]
    audit_n: int
    audit_head: str

    @field_serializer("lists")
    def _told_of_lists(self, lists: list[UsedList], info: FieldSerializationInfo) -> list[dict[str, Any]]:
        facts = [one.model_dump(mode=info.mode, include=set(_TOLD_OF_A_LIST)) for one in lists]
        return [{name: fact[name] for name in _TOLD_OF_A_LIST} for fact in facts]


@dataclass(frozen=True, slots=True)
class _Acts:
    wipes: list[AuditLine]
    scans: list[AuditLine]
    ends: list[AuditLine]
    purged: int
    cleared: list[AuditLine] = field(default_factory=list)


def _acts(audit: AuditRecord) -> _Acts:
    """The acts of the newest end; of the newest deployment where there was none yet."""
    acts = _Acts([], [], [], 0)
    purged = 0
    for record in audit.records():
        if record.act in ("end.begin", "deployment.open"):
            begun = record.act == "end.begin"
            before = [wipe for wipe in acts.wipes if wipe.details.get("what") == QUALITY_REPORT]
            acts = _Acts(before if begun else [], [], [], 0)
            if record.act == "deployment.open":
                purged = 0
        elif record.act == "wipe":
            acts.wipes.append(record)
        elif record.act == "wipe.scan":
            acts.scans.append(record)
        elif record.act == "end":
            acts.ends.append(record)
        elif record.act == "end.cleared":
            acts.cleared.append(record)
        elif record.act == "purge":
            purged += _alerts_of(record.details.get("alerts"))
    return _Acts(acts.wipes, acts.scans, acts.ends, purged, acts.cleared)


def remains(audit: AuditRecord) -> list[Path]:
    """Files in which the search of the newest end found what must be gone, and which nobody has removed since."""
    acts = _acts(audit)
    return [] if acts.cleared or not acts.scans else [Path(path) for path in acts.scans[-1].details.get("remains", [])]


def _alerts_of(purged: Any) -> int:
    """How many alerts an act of purging names: a running hub writes their ids, a purge after the end their number."""
    return len(purged) if isinstance(purged, list) else purged if isinstance(purged, int) else 0


def wiped(audit: AuditRecord) -> list[Destroyed]:
    """What the newest end destroyed, or began to, in order."""
    return _items(_acts(audit).wipes)


def _items(records: list[AuditLine]) -> list[Destroyed]:
    items: dict[str, Destroyed] = {}
    for record in records:
        details = record.details
        path = str(details.get("path", ""))
        item = items.setdefault(path, Destroyed(what=str(details.get("what", "")), path=path, begun_at=record.at))
        item.bytes = max(item.bytes, int(details.get("bytes") or 0))
        item.sha256 = str(details.get("sha256", "")) or item.sha256
        if details.get("stage") == "done":
            item.done, item.destroyed_at = True, record.at
            gone = not Path(path).exists()
            item.checked = "the file is gone" if gone else "a file of that name is there again, made since"
    return list(items.values())


def _swap_in_use() -> bool:
    try:
        return len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) > 1
    except OSError:
        return False


def build(config: Config, store: Store, now: datetime | None = None) -> Certificate:
    """Put the certificate together from state and audit record."""
    state = store.read_unverified()
    acts = _acts(store.audit)
    items = _items(acts.wipes)
    search = Search(at=acts.scans[-1].at, **_search_facts(acts.scans[-1])) if acts.scans else None
    problems = _problems(acts)
    remarks = [FLASH, MEMORY, ELSEWHERE]
    for record in acts.cleared:
        gone = [str(path) for path in record.details.get("gone", [])]
        remarks.insert(0, CLEARED.format(", ".join(gone), by=record.by, at=f"{record.at[:19].replace('T', ' ')} UTC"))
    problems += [f"{item.path} was begun to be destroyed, and not finished." for item in items if not item.done]
    if _swap_in_use():
        remarks.append(SWAP)
    key_wiped = any(item.what == "sealing key" for item in items)
    if search is not None and key_wiped and not any("key" in name for name in search.searched_for):
        remarks.append(CUT_OFF)
    n, head = store.audit.head()
    lists = state.lists if state else ()
    return Certificate(
        made_at=now or utc_now(),
        software=f"lfr-appliance {__version__}",
        deployment=config.deployment.id,
        location=config.deployment.location,
        begun_at=state.end_begun_at if state else None,
        ended_at=state.ended_at if state else None,
        by=state.end_by if state else "",
        reason=state.end_reason if state else "",
        complete=not problems,
        problems=problems,
        destroyed=items,
        search=search,
        lists=list(lists),
        alerts_kept_until=state.purge_at if state else None,
        alerts_purged_at=state.purged_at if state else None,
        alerts_purged=acts.purged,
        remarks=remarks,
        audit_n=n,
        audit_head=head,
    )


def still_holds(path: str, what: Iterable[str]) -> str:
    """The sentence on a file in which the search found something."""
    return f"{path} still holds the {' and the '.join(what)}."


def _problems(acts: _Acts) -> list[str]:
    """What the newest end could not do, without the remains that are gone by now."""
    if not acts.ends:
        return ["It has not ended."]
    details = acts.ends[-1].details
    gone = {path for record in acts.cleared for path in record.details.get("gone", [])}
    left = {path: what for path, what in details.get("remains", {}).items() if path not in gone}
    return [*map(str, details.get("problems", [])), *itertools.starmap(still_holds, left.items())]


def _search_facts(record: AuditLine) -> dict[str, Any]:
    return {name: record.details[name] for name in Search.model_fields if name in record.details}


def paths(config: Config) -> tuple[Path, Path]:
    """Where the certificate lies: JSON, HTML."""
    return config.alerts.state_dir / "certificate.json", config.alerts.state_dir / "certificate.html"


def exists(config: Config) -> bool:
    """Whether it was written, whole."""
    return all(path.exists() for path in paths(config))


def load(config: Config) -> Certificate | None:
    """The written certificate; None without one that can be read."""
    try:
        return Certificate.model_validate_json(paths(config)[0].read_bytes())
    except (OSError, ValueError):
        return None


def write(config: Config, store: Store, now: datetime | None = None) -> Certificate:
    """Build it and write both forms into the state folder."""
    made = build(config, store, now)
    as_json, as_html = paths(config)
    write_private(as_json, made.model_dump_json(indent=2).encode() + b"\n")
    write_private(as_html, render("certificate.html", certificate=made).encode())
    return made
