"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from appliance.core.errors import SecretError, WatchlistError

MAX_SECRET_BYTES = 10_000


def write_private(path: Path, content: bytes | bytearray | memoryview, *, mode: int = 0o600) -> None:
    """Write a file so that after a crash there is the old one or the new one, never a part.

    Raises
    ------
    WatchlistError
        The folder is missing or not writable, or the disk is full.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise WatchlistError(f"{path} cannot be written: {error.strerror}.", f"Look at {path.parent}.") from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise WatchlistError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        temporary.unlink(missing_ok=True)


def create_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file that must not exist yet: a key is never overwritten.

    Raises
    ------
    SecretError
        The file exists, or its folder cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise SecretError(
            f"{path} exists already and a key is never overwritten.", "Name another folder, or remove it yourself."
        ) from None
    except OSError as error:
        raise SecretError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or removal in the folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
