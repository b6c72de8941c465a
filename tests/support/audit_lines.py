"""Audit records as an earlier version wrote them: acts and details that today's models need not know."""

from pathlib import Path
from typing import Any

from appliance.audit.chain import GENESIS, canonical, digest_of


def write_lines(folder: Path, *acts: tuple[str, dict[str, Any]], by: str = "appliance") -> None:
    """A whole chain with its head."""
    lines, previous = [], GENESIS
    for n, (act, details) in enumerate(acts, start=1):
        body: dict[str, Any] = {"n": n, "at": f"2026-11-21T10:00:{n:02}.000Z", "by": by, "act": act}
        body |= {"details": details, "prev": previous}
        previous = body["hash"] = digest_of(body)
        lines.append(canonical(body) + b"\n")
    folder.mkdir(exist_ok=True)
    (folder / "audit.jsonl").write_bytes(b"".join(lines))
    (folder / "audit.head").write_text(f"{len(lines):020d} {previous}\n")


class _EarlierAct:
    """An act with the name and the details that an earlier version gave it."""

    def __init__(self, name: str, details: dict[str, Any]) -> None:
        self.name = name
        self._details = details

    def as_json(self) -> dict[str, Any]:
        """The details, as they are."""
        return self._details


def earlier_act(name: str, details: dict[str, Any]) -> Any:
    """What `AuditRecord.append` takes for an act that today's models need not know."""
    return _EarlierAct(name, details)
