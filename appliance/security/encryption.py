"""The pictures' key: what is on the disk of an alert can be read only as long as `journal.key` exists.

Pictures of alerts lie in the journal encrypted with ChaCha20-Poly1305 (RFC 8439), so that destroying one file of 32
bytes makes every copy of them unreadable that the database, its log or a worn flash block may still hold.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.core.errors import FileError, JournalError, SecretError, reason_of
from appliance.core.files import create_private, overwrite_and_remove, sync_folder

KEY_BYTES = 32
_NONCE_BYTES = 12


class PictureCipher:
    """Encrypts and decrypts pictures; each is bound to its alert's id and its place among the alert's pictures."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._stamp = _stamp(path)
        self._cipher = ChaCha20Poly1305(key)

    def __repr__(self) -> str:
        return f"PictureCipher({str(self.path)!r})"

    @classmethod
    def open(cls, path: Path) -> Self:
        """The cipher of an existing key file.

        Raises
        ------
        SecretError
            The file is missing, others may read it, or it is not a key.
        """
        try:
            mode = path.stat().st_mode
            key = path.read_bytes()
        except OSError as error:
            raise SecretError(
                f"The journal's key {path} cannot be read: {error.strerror}.",
                "Without it the pictures of earlier alerts cannot be shown.",
            ) from None
        if mode & 0o077:
            raise SecretError(f"The journal's key {path} can be read by others.", f"Run: chmod 600 {path}")
        if len(key) != KEY_BYTES:
            raise SecretError(f"{path} is not a journal key: it has {len(key)} bytes, not {KEY_BYTES}.")
        return cls(path, key)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new key in the place of `path`; an old one there is overwritten first, then replaced.

        Raises
        ------
        JournalError
            The folder cannot be written.
        """
        key = secrets.token_bytes(KEY_BYTES)
        fresh = path.with_name(path.name + ".new")
        try:
            overwrite_and_remove(fresh)
            create_private(fresh, key)
            overwrite_and_remove(path)
            fresh.rename(path)
            sync_folder(path.parent)
        except (FileError, OSError) as error:
            raise JournalError(
                f"The journal's key {path} cannot be written: {reason_of(error)}.",
                "Give alerts.state_dir a folder that this user may write to, on a disk with space.",
            ) from None
        return cls(path, key)

    @property
    def current(self) -> bool:
        """False once another process has replaced or destroyed the key; then `open` again."""
        return self._stamp == _stamp(self.path)

    def seal(self, alert_id: str, position: int, picture: bytes | bytearray) -> bytes:
        """Nonce and ciphertext of one picture."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, bytes(picture), f"{alert_id}/{position}".encode())

    def unseal(self, alert_id: str, position: int, sealed: bytes) -> bytes:
        """The picture that was sealed for this alert and place.

        Raises
        ------
        JournalError
            Another key, alert or place, or the bytes were changed.
        """
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, f"{alert_id}/{position}".encode())
        except (InvalidTag, ValueError):  # the latter: it is shorter than a nonce
            raise JournalError(
                f"Picture {position + 1} of alert {alert_id} does not open with {self.path}.",
                "The key was replaced, or the journal was changed from outside.",
            ) from None


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return (0, 0, 0)
    return (facts.st_dev, facts.st_ino, facts.st_mtime_ns)
