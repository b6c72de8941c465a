"""Where a watchlist's photos come from: a folder, or a zip of one that is read without being unpacked.

Both give names with `/` relative to the folder, and never anything that lies outside it.
"""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from appliance.core.errors import WatchlistError

MAX_PHOTO_BYTES = 32 * 1024**2
MAX_FILES = 200_000
MAX_TOTAL_BYTES = 16 * 1024**3
MANIFEST_NAME = "manifest.csv"
_ENCRYPTED = 0x1
"""Bit of a zip member's flags (APPNOTE 4.4.4)."""
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})


class PhotoSource(Protocol):
    """Files by name."""

    names: frozenset[str]
    problems: tuple[str, ...]
    """What was found and left aside, a sentence each: links out of the folder, unsafe names."""

    def read(self, name: str, limit: int = MAX_PHOTO_BYTES) -> bytes:
        """The content of a file of `names`.

        Raises
        ------
        WatchlistError
            It is gone, unreadable, or larger than `limit` bytes.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def is_photo(name: str) -> bool:
    """Whether a file's name is a picture's."""
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES


def safe_name(name: str) -> str | None:
    """A name as `names` has it: `/` between parts, no `.`; None when it leads out of the folder."""
    name = name.strip().replace("\\", "/")
    parts = [part for part in name.split("/") if part != "."]
    if not name or name.startswith("/") or "\0" in name or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return None
    return "/".join(part for part in parts if part) or None


def _ignored(parts: tuple[str, ...]) -> bool:
    """What operating systems leave behind."""
    return any(part.startswith((".", "__MACOSX")) or part in {"Thumbs.db", "desktop.ini"} for part in parts)


class Folder:
    """A folder; a link in it is followed only to a place inside it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        names: set[str] = set()
        problems: list[str] = []
        for where, folders, files in os.walk(self._root, followlinks=False):
            folders[:] = sorted(name for name in folders if not _ignored((name,)))
            here = Path(where)
            problems += [
                f"{(here / name).relative_to(self._root)} is a link to a folder and was not followed."
                for name in folders
                if (here / name).is_symlink()
            ]
            for file in files:
                if _ignored((file,)):
                    continue
                path = here / file
                name = path.relative_to(self._root).as_posix()
                if not self._inside(path):
                    problems.append(f"{name} is a link that leads out of the folder, or not a plain file.")
                    continue
                names.add(name)
                if len(names) > MAX_FILES:
                    raise WatchlistError(f"{root} holds more than {MAX_FILES} files.", "Name the photos' own folder.")
        self.names = frozenset(names)
        self.problems = tuple(problems)

    def _inside(self, path: Path) -> bool:
        try:
            target = path.resolve(strict=True)
            return target.is_relative_to(self._root) and stat.S_ISREG(target.stat().st_mode)
        except (OSError, RuntimeError):
            return False

    def read(self, name: str, limit: int = MAX_PHOTO_BYTES) -> bytes:
        """See `PhotoSource`."""
        path = self._root / name
        if not self._inside(path):  # it may have been exchanged since
            raise WatchlistError(f"{name} is gone, or leads out of the folder.")
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise WatchlistError(f"{name} cannot be read: {error.strerror}.") from None
        return _bounded(name, content, limit)

    def close(self) -> None:
        """Nothing is open."""


class Zip:
    """A zip file; one folder around everything is looked through. Nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            members = self._zip.infolist()
        except OSError as error:
            raise WatchlistError(f"{path} cannot be read: {error.strerror}.", "Look at who may read it.") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            raise WatchlistError(
                f"{path} is neither a folder nor a whole zip file.", "Name a folder with manifest.csv, or a zip of one."
            ) from None
        if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_TOTAL_BYTES:
            self._zip.close()
            raise WatchlistError(
                f"{path} unpacks to more than {MAX_FILES} files or {MAX_TOTAL_BYTES // 1024**3} GiB.",
                "It is not a zip of photos; nothing of it was unpacked.",
            )
        if any(member.flag_bits & _ENCRYPTED for member in members):
            self._zip.close()
            raise WatchlistError(
                f"{path} is protected by a password.", "Unpack it and name the folder, or zip it again without one."
            )
        self._members: dict[str, zipfile.ZipInfo] = {}
        problems: list[str] = []
        for member in members:
            name = safe_name(member.filename)
            if member.is_dir():
                continue
            if name is None or stat.S_ISLNK(member.external_attr >> 16):
                problems.append(f"{member.filename!r} in the zip leads out of it and was left aside.")
            elif _ignored(tuple(name.split("/"))):
                continue
            elif name in self._members:
                problems.append(f"{name!r} is in the zip twice.")
            else:
                self._members[name] = member
        tops = {name.partition("/")[0] for name in self._members}
        top = next(iter(tops)) if len(tops) == 1 else ""
        inner = {name.removeprefix(f"{top}/") for name in self._members}
        # one folder around everything: it holds the manifest, or the folders of more than one person
        wrapped = top and all(name.startswith(f"{top}/") for name in self._members)
        if wrapped and (any(n.lower() == MANIFEST_NAME for n in inner) or all("/" in n for n in inner)):
            self._members = {name.removeprefix(f"{top}/"): member for name, member in self._members.items()}
        self.names = frozenset(self._members)
        self.problems = tuple(problems)

    def read(self, name: str, limit: int = MAX_PHOTO_BYTES) -> bytes:
        """See `PhotoSource`."""
        try:
            with self._zip.open(self._members[name]) as file:
                content = file.read(limit + 1)
        except (
            KeyError,
            RuntimeError,
            zipfile.BadZipFile,
            NotImplementedError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            raise WatchlistError(f"{name} cannot be read from the zip: {error}.") from None
        except Exception as error:  # noqa: BLE001 (zlib.error and lzma.LZMAError share no base class with these)
            raise WatchlistError(f"{name} cannot be unpacked: {error}.") from None
        return _bounded(name, content, limit)

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()


def _bounded(name: str, content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise WatchlistError(f"{name} is larger than {limit // 1024**2} MiB.", "Save it smaller.")
    return content


def open_source(path: Path) -> Folder | Zip:
    """The photos of a folder or of a zip file.

    Raises
    ------
    WatchlistError
        It is neither, unreadable, or far too large.
    """
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise WatchlistError(f"{path} does not exist.", "Name a folder with manifest.csv, or a zip of one.")
    if not path.is_file():  # a pipe would be waited for
        raise WatchlistError(
            f"{path} is neither a folder nor a file.", "Name a folder with manifest.csv, or a zip of one."
        )
    return Zip(path)
