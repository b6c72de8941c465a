"""Looks through every file of some folders for bytes that must not be there: keys, photos, templates."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 20
MIN_NEEDLE_BYTES: Final = 12
"""Shorter ones would be found by chance."""


@dataclass(frozen=True, slots=True)
class Remnant:
    """A needle that was found."""

    path: Path
    needle: str
    offset: int


@dataclass(slots=True)
class Scan:
    """What was looked at and what was found.

    Attributes
    ----------
    unread
        Files that could not be read, or were left out by a budget, with the reason.
    """

    files: int = 0
    bytes_read: int = 0
    findings: list[Remnant] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)

    def __iadd__(self, other: Scan) -> Scan:
        self.files += other.files
        self.bytes_read += other.bytes_read
        self.findings += other.findings
        self.unread += other.unread
        return self


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of a large folder is looked at, smallest files first."""

    seconds: float = 5.0
    bytes_total: int = 512 << 20
    own_files_only: bool = True


def scan(
    paths: Iterable[Path],
    needles: Mapping[str, bytes] | Iterable[bytes],
    *,
    recursive: bool = True,
    budget: Budget | None = None,
) -> Scan:
    """Search files, and every file below folders, for any of the needles.

    Parameters
    ----------
    paths
        Files and folders; links are not followed, what is no regular file is passed over.
    needles
        Bytes by name (or numbered), each at least `MIN_NEEDLE_BYTES` long.
    budget
        A bound for folders that others fill too; what it leaves out is in `unread`.
    """
    named = dict(needles) if isinstance(needles, Mapping) else {f"needle {i}": n for i, n in enumerate(needles)}
    for name, needle in named.items():
        if len(needle) < MIN_NEEDLE_BYTES:
            raise ValueError(f"{name} has fewer than {MIN_NEEDLE_BYTES} bytes: it would be found by chance")
    result = Scan()
    files = list(dict.fromkeys(_files(paths, result, recursive=recursive, own=bool(budget and budget.own_files_only))))
    if budget is not None:
        files.sort(key=lambda item: item[1])
    began = time.monotonic()
    for path, size in files:
        if budget is not None and (
            time.monotonic() - began > budget.seconds or result.bytes_read + size > budget.bytes_total
        ):
            result.unread.append((path, "left out: too much to look at"))
            continue
        _search(path, named, result)
    return result


def _files(paths: Iterable[Path], result: Scan, *, recursive: bool, own: bool) -> Iterator[tuple[Path, int]]:
    pending = list(paths)
    top = set(pending)
    while pending:
        path = pending.pop()
        try:
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                if recursive or path in top:
                    pending.extend(path.iterdir())
            elif stat.S_ISREG(found.st_mode) and (not own or found.st_uid == os.getuid()):
                yield path, found.st_size
        except FileNotFoundError:
            continue
        except OSError as error:
            if not own:
                result.unread.append((path, error.strerror or "unreadable"))


def _search(path: Path, needles: Mapping[str, bytes], result: Scan) -> None:
    overlap = max((len(needle) for needle in needles.values()), default=1) - 1
    found: set[str] = set()
    try:
        with path.open("rb", buffering=0) as file:
            result.files += 1
            before = b""
            position = 0
            while chunk := file.read(CHUNK_BYTES):
                result.bytes_read += len(chunk)
                window = before + chunk
                for name, needle in needles.items():
                    at = -1 if name in found else window.find(needle)
                    if at >= 0:
                        found.add(name)
                        result.findings.append(Remnant(path, name, position - len(before) + at))
                position += len(chunk)
                before = window[-overlap:] if overlap else b""
    except FileNotFoundError:
        return
    except OSError as error:
        result.unread.append((path, error.strerror or "unreadable"))
