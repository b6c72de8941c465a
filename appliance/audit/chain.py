"""The form of the audit record: lines bound to one another by SHA-256, and how that is checked.

See `audit`, which writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

GENESIS: Final = "0" * 64
"""What the first record continues."""
_KEYS: Final = {"act", "at", "by", "details", "hash", "n", "prev"}


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the audit record."""

    n: int
    at: str
    by: str
    act: str
    details: dict[str, Any]
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    problems
        One sentence each; empty when the record is whole.
    notices
        What is explained and harmless, such as a line torn by a power cut that no act was lost with.
    """

    count: int
    head: str
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether no change, removal, reordering or cut was found."""
        return not self.problems


def canonical(body: dict[str, Any]) -> bytes:
    """The one way to write a record: keys sorted, no spaces, UTF-8."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(body: dict[str, Any]) -> str:
    """SHA-256 of a record without its hash, in hex."""
    return hashlib.sha256(canonical({key: value for key, value in body.items() if key != "hash"})).hexdigest()


def parse(line: bytes) -> AuditLine | None:
    """A line's record, whether or not its hash is right; None where it is no record at all."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or set(body) != _KEYS or not isinstance(body["n"], int):
        return None
    texts = (body["at"], body["by"], body["act"], body["prev"], body["hash"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(body["details"], dict):
        return None
    return AuditLine(**body)


def split_lines(content: bytes) -> list[bytes]:
    """The lines with their line feeds; only a line feed ends a line."""
    parts = content.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def check(content: bytes, head: tuple[int, str] | None, head_exists: bool, anchor: str | None) -> Verification:
    """Check a whole record.

    Parameters
    ----------
    content
        Of `audit.jsonl`.
    head
        Number and hash that `audit.head` holds; None where it is missing or unreadable (`head_exists` says which).
    anchor
        A hash that must be part of the chain.
    """
    problems: list[str] = []
    notices: list[str] = []
    torn: dict[str, int] = {}
    n, previous, last_at = 0, GENESIS, ""
    hashes: list[str] = [GENESIS]
    lines = content.split(b"\n")
    unfinished = lines.pop()
    for number, line in enumerate([*lines, unfinished] if unfinished else lines, start=1):
        record = parse(line) if number <= len(lines) else None
        if record is None:
            torn[hashlib.sha256(line).hexdigest()] = number
            continue
        body = {name: getattr(record, name) for name in sorted(_KEYS)}
        if canonical(body) != line or digest_of(body) != record.hash:
            problems.append(f"Line {number} (act {record.n}, {record.act}) was changed: its hash does not fit.")
        if record.act == "audit.repair":
            explained = [torn.pop(digest) for digest in record.details.get("torn", []) if digest in torn]
            if explained:
                notices.append(
                    f"Line {explained[0]} was torn by a power cut before it counted; act {record.n} recorded it."
                )
            if record.details.get("head_missing"):
                problems.append(f"Act {record.n} found that audit.head had been removed or damaged.")
            if "records_missing" in record.details:
                problems.append(
                    f"Act {record.n} found that the record ended before act {record.details.get('head_n')}, "
                    "which had been written: acts were removed from its end."
                )
        problems.extend(f"Line {where} is not a record." for where in torn.values())
        torn.clear()
        if record.n != n + 1:
            problems.append(f"Line {number} is act {record.n} where act {n + 1} belongs: removed, added or reordered.")
        elif record.prev != previous:
            problems.append(f"Line {number} (act {record.n}) does not continue the line before it.")
        if record.at < last_at:
            notices.append(f"Act {record.n} is dated before the act that it follows: the clock was set back.")
        n, previous, last_at = record.n, record.hash, record.at
        hashes.append(record.hash)
    for where in torn.values():
        if head is not None and head[0] > n:
            problems.append(f"Line {where}, the last, was cut: audit.head knows act {head[0]}.")
        else:
            notices.append(
                f"Line {where}, the last, is torn: a power cut came before it counted. The next act records it."
            )
    problems.extend(_check_head(n, previous, hashes, head, head_exists))
    if anchor is not None and anchor.lower() not in hashes[1:]:
        problems.append(f"No act has the hash {anchor[:16]}…: this is not the record that it was taken from.")
    return Verification(n, previous, tuple(problems), tuple(notices))


def _check_head(
    n: int, newest: str, hashes: list[str], head: tuple[int, str] | None, head_exists: bool
) -> Iterator[str]:
    if head is None:
        if n > 0:
            yield "audit.head is damaged." if head_exists else "audit.head is missing."
    elif head[0] > n:
        yield f"The record ends at act {n}, but audit.head knows act {head[0]}: acts were removed from its end."
    elif head[0] == n and head[1] != newest:
        yield "The newest act is not the one that audit.head knows."
    elif head[0] < n and (head[0] >= len(hashes) or hashes[head[0]] != head[1]):
        yield f"Act {head[0]} is not the one that audit.head knows."
