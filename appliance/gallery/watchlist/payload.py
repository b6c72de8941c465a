"""What is inside a sealed file: entries as JSON, templates as raw float32, portraits as JPEG. No pickle.

    b"LFRP1\\n"  JSON length u32  JSON  entry_of_template (t) int32  templates (t, d) float32  portraits

Little-endian. Every size is computed from bounded counts and compared with the length at hand before anything is
allocated.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyrage

from appliance.core.errors import WatchlistError
from appliance.core.types import Float32, Int32
from appliance.gallery.watchlist.container import MAX_TEMPLATES
from appliance.gallery.watchlist.entry import Entry

MAGIC = b"LFRP1\n"
MAX_PORTRAIT_BYTES = 200_000
MAX_JSON_BYTES = 64 * 1024**2
_UNIT_TOLERANCE = 1e-3


@dataclass(slots=True, eq=False)
class Payload:
    """Entries and their templates, grouped: all templates of an entry stand together, in the order of the entries.

    Attributes
    ----------
    entries
        The people.
    templates
        An array of shape `(t, d)`, float32: unit vectors.
    entry_of_template
        An array of shape `(t,)`, int32: position of each template's entry; ascending, none left out.
    portraits
        One JPEG (256×256) a template.
    """

    entries: tuple[Entry, ...]
    templates: Float32 = field(repr=False)
    entry_of_template: Int32 = field(repr=False)
    portraits: list[bytearray] = field(repr=False)

    def __post_init__(self) -> None:
        t, n = len(self.entry_of_template), len(self.entries)
        if self.templates.ndim != 2 or len(self.templates) != t or self.templates.dtype != np.float32:
            raise ValueError(f"templates must be float32 of shape ({t}, d)")
        if self.entry_of_template.dtype != np.int32 or len(self.portraits) != t:
            raise ValueError(f"there must be {t} int32 positions and as many portraits")
        if len({entry.id for entry in self.entries}) != n:
            raise ValueError("two entries have the same id")
        if not np.array_equal(np.unique(self.entry_of_template), np.arange(n)) or np.any(
            np.diff(self.entry_of_template) < 0
        ):
            raise ValueError("every entry needs templates, and they must stand in the order of the entries")
        norms = np.linalg.norm(self.templates, axis=1) if t else np.ones(0)
        if not np.all(np.abs(norms - 1) < _UNIT_TOLERANCE):  # NaN fails too
            raise ValueError("a template is not a unit vector")

    def wipe(self) -> None:
        """Overwrite templates and portraits in place."""
        self.templates.fill(0)
        for portrait in self.portraits:
            portrait[:] = bytes(len(portrait))


def encode(payload: Payload) -> bytearray:
    """The payload as bytes; the caller overwrites them after encryption."""
    document = {
        "entries": [entry.to_json() for entry in payload.entries],
        "dimension": payload.templates.shape[1],
        "portraits": [len(portrait) for portrait in payload.portraits],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    parts: list[bytes | bytearray | memoryview] = [
        MAGIC,
        len(text).to_bytes(4, "little"),
        text,
        payload.entry_of_template.astype("<i4").view(np.uint8).data,
        np.ascontiguousarray(payload.templates, dtype="<f4").reshape(-1).view(np.uint8).data,
        *payload.portraits,
    ]
    buffer = bytearray(sum(len(part) for part in parts))
    position = 0
    for part in parts:
        buffer[position : position + len(part)] = part
        position += len(part)
    return buffer


def decode(buffer: bytearray, max_entries: int) -> Payload:
    """The payload of `encode`; everything in it is a copy, so that the caller can overwrite the buffer.

    Raises
    ------
    WatchlistError
        It does not hold what its own counts say.
    """
    try:
        return _decode(memoryview(buffer), max_entries)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WatchlistError(
            f"The watchlist's content is not what a builder makes ({error}).", "Build it again."
        ) from None


def _decode(view: memoryview, max_entries: int) -> Payload:
    start = len(MAGIC) + 4
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise ValueError("unknown beginning")
    length = int.from_bytes(view[len(MAGIC) : start], "little")
    if length > MAX_JSON_BYTES or start + length > len(view):
        raise ValueError("impossible length")
    document: Any = json.loads(bytes(view[start : start + length]))
    rows, sizes, dimension = document["entries"], document["portraits"], document["dimension"]
    if not (isinstance(rows, list) and isinstance(sizes, list) and isinstance(dimension, int)):
        raise TypeError("wrong types")
    if len(rows) > max_entries or len(sizes) > MAX_TEMPLATES or not 0 < dimension <= 4096:
        raise ValueError("impossible counts")
    if not all(type(size) is int and 0 <= size <= MAX_PORTRAIT_BYTES for size in sizes):
        raise ValueError("impossible portraits")
    t, position = len(sizes), start + length
    if position + 4 * t + 4 * t * dimension + sum(sizes) != len(view):
        raise ValueError("its length does not fit its counts")
    owners = np.frombuffer(view, "<i4", t, position).astype(np.int32)
    position += 4 * t
    templates = np.frombuffer(view, "<f4", t * dimension, position).astype(np.float32).reshape(t, dimension)
    position += 4 * t * dimension
    portraits = []
    for size in sizes:
        portraits.append(bytearray(view[position : position + size]))
        position += size
    return Payload(tuple(Entry.from_json(row) for row in rows), templates, owners, portraits)


class _Reader:
    """Gives a buffer to the encryption without another copy of the whole."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._position = view, 0

    def read(self, size: int = -1) -> bytes:
        end = len(self._view) if size < 0 else self._position + size
        chunk = bytes(self._view[self._position : end])
        self._position += len(chunk)
        return chunk


class _Writer:
    """Takes plaintext into one buffer that was allocated before, and overwrites the pieces it came in.

    The pieces are `bytes` of 8 KiB made for one call. CPython shares bytes objects of length 0 and 1; those are left.
    """

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.written = 0

    def write(self, chunk: bytes) -> int:
        end = self.written + len(chunk)
        if end > len(self.buffer):
            raise ValueError("more plaintext than the header says")
        self.buffer[self.written : end] = chunk
        self.written = end
        overwrite_bytes(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Nothing is held back."""


_CPYTHON = sys.implementation.name == "cpython"


def overwrite_bytes(secret: bytes) -> None:
    """Overwrite a bytes object that nobody else uses (CPython; elsewhere nothing happens).

    Only for bytes that were just made by a library for this one use: the interpreter shares literals and single bytes.
    """
    if _CPYTHON and len(secret) > 1:
        ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))


class _Sink:
    def __init__(self) -> None:
        self.buffer = bytearray()

    def write(self, chunk: bytes) -> int:
        self.buffer += chunk
        return len(chunk)

    def flush(self) -> None:
        """Nothing is held back."""


def encrypt(plaintext: bytearray, recipients: Sequence[str]) -> bytearray:
    """The age ciphertext (age-encryption.org/v1) for X25519 recipients `age1…`."""
    keys = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    sink = _Sink()
    pyrage.encrypt_io(_Reader(memoryview(plaintext)), sink, keys)
    return sink.buffer


def decrypt(ciphertext: memoryview, identity: Any, plaintext_bytes: int) -> bytearray:
    """The plaintext in a buffer that the caller overwrites after use. Other threads run in between.

    Raises
    ------
    pyrage.DecryptError
        It is not for this identity, or not whole.
    ValueError
        It is not as long as it should be.
    """
    writer = _Writer(plaintext_bytes)
    try:
        pyrage.decrypt_io(_Reader(ciphertext), writer, [identity])
    except BaseException:
        writer.buffer[:] = bytes(len(writer.buffer))
        raise
    if writer.written != plaintext_bytes:
        writer.buffer[:] = bytes(len(writer.buffer))
        raise ValueError("less plaintext than the header says")
    return writer.buffer
