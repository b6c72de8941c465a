"""Files of the appliance: written whole or not at all, read by their owner only, locked, and destroyed in place.

What the disk or another process refuses is a `FileError` that names the file; `FileError.cause` says why.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.core.errors import FileError, FileLocked, SecretError

MAX_SECRET_BYTES = 10_000
_LOOK_EVERY_S = 0.05


def write_private(path: Path, content: bytes | bytearray | memoryview, *, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a power cut, finds the old one or the new one, never a part.

    Raises
    ------
    FileError
        The folder is missing or not writable, or the disk is full.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _write_through(file.fileno(), content, mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(path, "written", error) from None
    sync_folder(path.parent)


def create_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file that must not exist yet: a key is never overwritten.

    Raises
    ------
    FileError
        The file exists, or its folder cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        remedy = "It is never overwritten: name another place, or remove it yourself."
        raise FileError(path, "written", error, remedy) from None
    except OSError as error:
        raise FileError(path, "written", error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            _write_through(file.fileno(), content, mode)
    except OSError as error:
        path.unlink(missing_ok=True)  # a part of a key is none
        raise FileError(path, "written", error) from None
    sync_folder(path.parent)


def _write_through(handle: int, content: bytes | bytearray | memoryview, mode: int) -> None:
    left = memoryview(content).cast("B")
    while left:
        left = left[os.write(handle, left) :]
    os.fchmod(handle, mode)
    os.fsync(handle)


def make_folder(folder: Path, *, mode: int = 0o700) -> None:
    """Make a folder, and those above it, where there is none; by default for its owner only.

    Raises
    ------
    FileError
        It cannot be made.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, "made", error) from None


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in a folder durable.

    Raises
    ------
    FileError
        The folder is missing, or the disk refuses.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise FileError(folder, "written", error) from None


def overwrite_and_remove(path: Path) -> bool:
    """Overwrite a file in place with random bytes, then remove it; False when there was none.

    What a flash disk keeps in worn or remapped blocks is beyond the reach of any program.

    Raises
    ------
    FileError
        The file is a link or no file, or cannot be opened for writing or removed.
    """
    try:
        # Not blocking: a pipe without a reader would be waited for.
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(path, "destroyed", error) from None
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            while left > 0:
                left -= file.write(secrets.token_bytes(min(left, 1 << 20)))
            os.fsync(file.fileno())
        path.unlink()
    except OSError as error:
        raise FileError(path, "destroyed", error) from None
    sync_folder(path.parent)
    return True


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, wait_s: float = math.inf, create: bool = True) -> Iterator[int]:
    """Hold the lock of a file (flock(2)); the kernel lets go of it when the process dies.

    Parameters
    ----------
    shared
        Beside others that share it; else alone.
    wait_s
        How long another holder is waited for; 0: not at all.
    create
        Make the file (0600) where it is missing.

    Yields
    ------
    The descriptor of the file, open for reading and writing.

    Raises
    ------
    FileLocked
        Another process holds it.
    FileError
        The file cannot be opened: it is missing, a link, or another user's.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        raise FileError(path, "locked", error) from None
    try:
        _lock(handle, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait_s)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, path: Path, how: int, wait_s: float) -> None:
    until_s = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(handle, how if math.isinf(wait_s) else how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until_s:
                raise FileLocked(path, "locked", error) from None
            time.sleep(_LOOK_EVERY_S)
        except OSError as error:
            raise FileError(path, "locked", error) from None


def read_secret(path: Path, what: str) -> bytearray:
    """The content of a secret key file; the caller overwrites it after use.

    Raises
    ------
    SecretError
        The file is missing, too large to be a key, or may be read by group or others.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_SECRET_BYTES:
            raise SecretError(f"{path} is not {what}.")
        if status.st_mode & 0o077:
            raise SecretError(f"{path} may be read by others than its owner.", f"Run: chmod 600 {path}")
        content = bytearray(status.st_size)
        with path.open("rb", buffering=0) as file:
            file.readinto(content)
    except FileNotFoundError:
        raise SecretError(f"{path} does not exist; it should be {what}.", "Make keys with: lfr keys new DIR") from None
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}.") from None
    return content
