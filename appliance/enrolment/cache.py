"""What a build has worked out, kept beside the list so that the next build, or the rest of this one, is quick.

It holds templates and portraits, so every record is encrypted (ChaCha20-Poly1305) to a key of its own beside it
(`FILE.cache.key`, 0600). Both are companions of the list and are destroyed with it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.core.errors import FileLocked, WatchlistError
from appliance.core.files import create_private, locked, read_secret, write_private
from appliance.enrolment.photo import PhotoResult

MAGIC = b"LFRC1\n"
_NONCE, _TAG = 12, 16
MAX_RECORD_BYTES = 1_000_000


class Cache:
    """Results by photo (its SHA-256) and recipe; records are appended at once and survive the death of the build.

    A damaged or cut off record ends the reading: what comes after it is worked out again.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._key_path = path, path.with_name(path.name + ".key")
        self._records: dict[bytes, bytes] = {}
        self._key = ChaCha20Poly1305(self._read_key())
        self._held = contextlib.ExitStack()
        try:
            handle = self._held.enter_context(locked(path, wait_s=0))
        except FileLocked:
            raise WatchlistError(f"Another build is writing {path}.", "Wait for it, or name another -o.") from None
        self._file = os.fdopen(handle, "r+b", closefd=False)
        self._load()

    def _read_key(self) -> bytes:
        if not self._key_path.exists():
            create_private(self._key_path, ChaCha20Poly1305.generate_key())
            self._path.unlink(missing_ok=True)  # without its key it is noise
        key = bytes(read_secret(self._key_path, "the cache's key"))
        if len(key) != 32:
            raise WatchlistError(f"{self._key_path} is damaged.", f"Remove it and {self._path}.")
        return key

    def _load(self) -> None:
        content = self._file.read()
        if content and not content.startswith(MAGIC):
            content = b""
        position = len(MAGIC)
        while position + 4 <= len(content):
            length = int.from_bytes(content[position : position + 4], "little")
            record = content[position + 4 : position + 4 + length]
            if len(record) < length or not _NONCE + _TAG + 48 < length <= MAX_RECORD_BYTES:
                break
            try:
                plain = self._key.decrypt(record[:_NONCE], record[_NONCE:], MAGIC)
            except InvalidTag:
                break
            self._records[plain[:48]] = record
            position += 4 + length
        self._file.seek(position if content else 0)
        self._file.truncate()
        if not content:
            self._append(MAGIC)

    def _append(self, content: bytes) -> None:
        try:
            self._file.write(content)
            self._file.flush()
        except OSError as error:
            raise WatchlistError(f"{self._path} cannot be written: {error.strerror}.") from None

    @staticmethod
    def _name(photo_sha256: bytes, recipe: str) -> bytes:
        return photo_sha256 + recipe.encode().ljust(16)[:16]

    def __len__(self) -> int:
        return len(self._records)

    def get(self, photo_sha256: bytes, recipe: str) -> PhotoResult | None:
        """What is known of a photo (32 bytes of SHA-256) under a recipe."""
        name = self._name(photo_sha256, recipe)
        record = self._records.get(name)
        if record is None:
            return None
        try:
            return PhotoResult.from_bytes(self._key.decrypt(record[:_NONCE], record[_NONCE:], MAGIC)[48:])
        except (InvalidTag, ValueError, KeyError, TypeError):
            return None

    def put(self, photo_sha256: bytes, recipe: str, result: PhotoResult) -> None:
        """Keep a result."""
        name = self._name(photo_sha256, recipe)
        nonce = os.urandom(_NONCE)
        record = nonce + self._key.encrypt(nonce, name + result.to_bytes(), MAGIC)
        if len(record) <= MAX_RECORD_BYTES:
            self._records[name] = record
            self._append(len(record).to_bytes(4, "little") + record)

    def keep_only(self, photos: set[bytes], recipe: str) -> None:
        """Drop what no longer belongs to the list: other photos, other recipes."""
        wanted = {self._name(photo, recipe) for photo in photos}
        if wanted >= self._records.keys():
            return
        self._records = {name: record for name, record in self._records.items() if name in wanted}
        parts = [MAGIC]
        for record in self._records.values():
            parts += [len(record).to_bytes(4, "little"), record]
        write_private(self._path, b"".join(parts))

    def close(self) -> None:
        """Close the file and let another build have it."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._held.close()
        self._records.clear()
