"""The audit record: append-only JSON lines, each bound to the one before it by SHA-256.

A line is `{"act", "at", "by", "details", "hash", "n", "prev"}` in canonical form (keys sorted, no spaces, UTF-8);
`hash` is over the line without it, `prev` is the hash of the line before, and `audit.head` beside the file holds number
and hash of the newest. So a change, a removal, a reordering and a cut tail are found by `AuditRecord.verify`.

What no chain can prove by itself: whoever may write every file here can make the whole chain anew, or cut the tail
and set the head back. That is why the head's hash is printed in the certificate and the report: kept by somebody
else, it is the anchor that `verify(anchor=…)` checks.

The record holds ids, never pictures or templates; each act has a model in `audit.acts`, which takes nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from appliance.audit.act import APPLIANCE, IDS_PER_LINE, Act
from appliance.audit.acts import AuditRepair, Purge, WatchlistChange
from appliance.audit.chain import GENESIS, AuditLine, Verification, canonical, check, digest_of, parse, split_lines
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import AuditError, FileError, reason_of
from appliance.core.files import locked, make_folder, sync_folder

MAX_LINE_BYTES: Final = 65_536
MAX_NAME: Final = 128
"""Longest name of who did it."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where the chain stands: bytes in the file, number and hash of the newest record, and what follows it torn."""

    size: int
    n: int
    hash: str
    torn: tuple[bytes, ...] = ()


class AuditRecord:
    """The audit record of a state folder; any number of processes and threads may append to it.

    Parameters
    ----------
    path
        The state folder, or `audit.jsonl` in it; `audit.head` and `audit.lock` are beside it. The folder is made
        (mode 0700) where it is missing.
    """

    def __init__(self, path: Path) -> None:
        state_dir = path.parent if path.name == "audit.jsonl" else path
        self.path = state_dir / "audit.jsonl"
        self.head_path = state_dir / "audit.head"
        self._lock_path = state_dir / "audit.lock"
        self._thread = threading.Lock()
        self._known: _Tail | None = None

    def _exists(self) -> bool:
        """Whether there is a record; refuses what is no file: a pipe would be waited for."""
        for path in (self.path, self.head_path):
            if path.exists() and not path.is_file():
                raise AuditError(f"{path} is not a file.", "Look who put it there, and move it away.")
        return self.path.exists()

    @contextlib.contextmanager
    def _locked(self, *, shared: bool) -> Iterator[None]:
        with self._thread, contextlib.ExitStack() as held:
            try:
                make_folder(self.path.parent)
                held.enter_context(locked(self._lock_path, shared=shared))
            except FileError as error:
                raise AuditError(f"The audit record {self.path} cannot be opened: {reason_of(error)}.") from error
            yield

    def append(self, act: Act, by: str, at: datetime | None = None) -> AuditLine:
        """Write one act, durable when this returns.

        Parameters
        ----------
        by
            The person's name as they signed in or said it; `APPLIANCE` for what the appliance did by itself.
        at
            When; now, where it is not given.

        Raises
        ------
        AuditError
            The disk refused it, nobody is named, or the act is too long for a line.
        """
        if not 0 < len(by) <= MAX_NAME:
            raise AuditError(f"An act is recorded with a name of 1 to {MAX_NAME} characters, not {len(by)}.")
        with self._locked(shared=False):
            self._exists()
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    tail, damage = self._tail(descriptor)
                    if damage is not None:
                        tail, _ = self._write(descriptor, tail, damage, APPLIANCE, utc_now())
                    self._known, record = self._write(descriptor, tail, act, by, at or utc_now())
                finally:
                    os.close(descriptor)
            except (FileError, OSError) as error:
                self._known = None
                raise AuditError(
                    f"The audit record {self.path} cannot be written: {reason_of(error)}.", "Free or repair the disk."
                ) from error
            return record

    def _write(self, descriptor: int, tail: _Tail, act: Act, by: str, at: datetime) -> tuple[_Tail, AuditLine]:
        by = by.encode("utf-8", "replace").decode()
        body: dict[str, Any] = {"n": tail.n + 1, "at": utc_text(at), "by": by, "act": act.name}
        body |= {"details": act.as_json(), "prev": tail.hash}
        body["hash"] = digest_of(body)
        line = canonical(body) + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise AuditError(f"{act.name} of {len(line)} bytes is longer than a line of the audit record may be.")
        # A torn fragment is closed with a line feed, never cut off: the repair act that follows names its hash.
        data = (b"\n" if tail.torn and not tail.torn[-1].endswith(b"\n") else b"") + line
        if tail.n == 0 and not self.head_path.exists():
            # There from before the first act and through a power cut: a missing one always means that it was removed.
            self._write_head(0, GENESIS)
            handle = os.open(self.head_path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            sync_folder(self.head_path.parent)
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fdatasync(descriptor)
        self._write_head(body["n"], body["hash"])
        return _Tail(tail.size + len(data), body["n"], body["hash"]), AuditLine(**body)

    def _write_head(self, n: int, digest: str) -> None:
        # Not synced: after a power cut the head may lag behind the chain, never be ahead of it.
        text = f"{n:020d} {digest}\n".encode()
        descriptor = os.open(self.head_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)

    def _read_head(self) -> tuple[int, str] | None:
        try:
            match = re.fullmatch(r"(\d{20}) ([0-9a-f]{64})\n", self.head_path.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError):
            return None
        return (int(match[1]), match[2]) if match else None

    def _tail(self, descriptor: int) -> tuple[_Tail, AuditRepair | None]:
        """Where the chain stands, and what is to be recorded as damage before anything else is."""
        size = os.fstat(descriptor).st_size
        head = self._read_head()
        if self._known is not None and self._known.size == size and head == (self._known.n, self._known.hash):
            return self._known, None
        tail = self._read_tail(descriptor, size)
        damage: dict[str, Any] = {}
        if tail.torn:
            damage["torn"] = [hashlib.sha256(line.rstrip(b"\n")).hexdigest() for line in tail.torn[:16]]
            damage["torn_bytes"] = sum(len(line) for line in tail.torn)
        if head is None and tail.n > 0:
            damage["head_missing"] = True
        if head is not None and (head[0] > tail.n or (head[0] == tail.n and head[1] != tail.hash and tail.n > 0)):
            damage |= {"records_missing": head[0] - tail.n, "head_n": head[0], "head_hash": head[1]}
        return tail, AuditRepair(**damage) if damage else None

    @staticmethod
    def _read_tail(descriptor: int, size: int) -> _Tail:
        window = 2 * MAX_LINE_BYTES
        while True:
            start = max(0, size - window)
            lines = split_lines(os.pread(descriptor, size - start, start))
            if start > 0:
                lines = lines[1:]
            torn: list[bytes] = []
            for line in reversed(lines):
                record = parse(line) if line.endswith(b"\n") else None
                if record is not None:
                    return _Tail(size, record.n, record.hash, tuple(reversed(torn)))
                torn.append(line)
            if start == 0:
                return _Tail(size, 0, GENESIS, tuple(reversed(torn)))
            window *= 8

    def head(self) -> tuple[int, str]:
        """Number and hash of the newest record; `(0, GENESIS)` for an empty one."""
        if not self._exists():
            return 0, GENESIS
        with self._locked(shared=True):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                tail = self._read_tail(descriptor, os.fstat(descriptor).st_size)
            finally:
                os.close(descriptor)
        return tail.n, tail.hash

    def records(self) -> Iterator[AuditLine]:
        """Every record, oldest first; what is no record is left out (`verify` tells of it)."""
        if not self._exists():
            return
        with self.path.open("rb") as lines:
            for line in lines:
                record = parse(line) if line.endswith(b"\n") else None
                if record is not None:
                    yield record

    def newest(self, wanted: Callable[[AuditLine], bool]) -> AuditLine | None:
        """The newest record for which `wanted` is true."""
        if not self._exists():
            return None
        for line in reversed(split_lines(self.path.read_bytes())):
            record = parse(line) if line.endswith(b"\n") else None
            if record is not None and wanted(record):
                return record
        return None

    def verify(self, anchor: str | None = None) -> Verification:
        """Check every line, the chain and the head.

        Parameters
        ----------
        anchor
            A head hash that somebody kept (from a certificate or a report); the chain must hold it.
        """
        if not self._exists():
            missing = ["audit.jsonl is missing, but audit.head is here: the record was removed."]
            return Verification(0, GENESIS, tuple(missing) if self.head_path.exists() or anchor else ())
        with self._locked(shared=True):
            content = self.path.read_bytes()
            head = self._read_head()
            head_exists = self.head_path.exists()
        return check(content, head, head_exists, anchor)


def record_change(audit: AuditRecord, by: str, added: list[str], removed: list[str], details: dict[str, Any]) -> None:
    """Record a changed watchlist with every id, over as many lines as that takes."""
    rows = [("added", name) for name in added] + [("removed", name) for name in removed]
    parts = [rows[i : i + IDS_PER_LINE] for i in range(0, len(rows), IDS_PER_LINE)] or [[]]
    for number, part in enumerate(parts, start=1):
        ids = {kind: [name for what, name in part if what == kind] for kind in ("added", "removed")}
        audit.append(WatchlistChange(**details, **ids, part=number, of=len(parts)), by)


def record_purge(audit: AuditRecord, by: str, ids: list[str], kept_hours: float) -> None:
    """Record which alerts were deleted at the end of their time, over as many lines as that takes."""
    for start in range(0, len(ids), IDS_PER_LINE):
        part = ids[start : start + IDS_PER_LINE]
        audit.append(Purge(alerts=len(part), ids=part, kept_hours=kept_hours), by)
