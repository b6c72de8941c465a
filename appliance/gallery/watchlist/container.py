"""The sealed file's outer form: a clear, signed header, the ciphertext, and approvals that may be appended.

    b"LFRWLIST"  version u16  header length u32  header (JSON)  builder's signature (64 bytes)
    ciphertext (age, as long as the header says)  { length u16  approval (JSON) } …

Integers are little-endian. The header names the ciphertext's length and SHA-256, so the one signature over the header
covers both. An approval signs the same header together with the approver's name and the time. Nothing in the file is
trusted for its own sake: names count only when the key behind them is in the appliance's folders.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import re
import struct
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from appliance.core.clock import Moment, utc_text
from appliance.core.errors import FileError, WatchlistError
from appliance.core.files import locked, write_private
from appliance.security.keys import PublicSigner, Signer

MAGIC = b"LFRWLIST"
VERSION = 1
MAX_HEADER_BYTES = 16_384
MAX_FILE_BYTES = 2 * 1024**3
MAX_APPROVALS = 64
MAX_TEMPLATES = 100_000
_PREFIX = struct.Struct("<8sHI")
_SIGNATURE_BYTES = 64
_KEY_TEXT = r"^[A-Za-z0-9+/]{43}=$"


class Header(BaseModel):
    """What is said in clear about a sealed list; nothing of a person on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    deployment: str = Field("", max_length=64, description="the deployment it was built for; empty: for trials only")
    sequence: int = Field(ge=0, lt=2**53, description="an appliance takes no list with a lower one than it has seen")
    created: Moment
    expires: Moment
    builder: str = Field(min_length=1, max_length=64)
    builder_key: str = Field(pattern=_KEY_TEXT, description="Ed25519, base64")
    entries: int = Field(ge=1, le=10_000)
    templates: int = Field(ge=1, le=MAX_TEMPLATES)
    dimension: int = Field(ge=1, le=4096)
    embedder: str = Field(max_length=128, description="name@first 12 of the model file's sha256")
    recipient: str = Field(max_length=200, description="the appliance's public sealing key, age1…")
    plaintext_bytes: int = Field(ge=1, le=MAX_FILE_BYTES)
    ciphertext_bytes: int = Field(ge=1, le=MAX_FILE_BYTES)
    ciphertext_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SignedApproval(BaseModel):
    """One approval as it stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64)
    key: str = Field(pattern=_KEY_TEXT)
    at: Moment
    signature: str = Field(max_length=88)


@dataclass(frozen=True)
class Container:
    """A sealed file, taken apart and found whole: the builder's signature and the ciphertext's hash are right.

    Whether the builder is one whom the appliance trusts is another question; see `policy.WatchlistPolicy`.
    """

    path: Path
    header: Header
    header_bytes: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    ciphertext: memoryview = field(repr=False)
    approvals: tuple[SignedApproval, ...]
    digest: str

    @property
    def builder(self) -> PublicSigner:
        """Who signed it, by their own word."""
        return PublicSigner(self.header.builder, base64.b64decode(self.header.builder_key))


def header_message(header_bytes: bytes) -> bytes:
    """What the builder signs."""
    return b"lfr watchlist v1\0" + hashlib.sha256(header_bytes).digest()


def approval_message(header_bytes: bytes, name: str, at: datetime) -> bytes:
    """What an approver signs."""
    return b"lfr approval v1\0" + hashlib.sha256(header_bytes).digest() + f"{name}\0{utc_text(at)}".encode()


def digest(path: Path) -> str:
    """SHA-256 of the whole file, as 64 hexadecimal digits; the same as `sha256sum` prints.

    Raises
    ------
    WatchlistError
        The file is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> WatchlistError:
    if isinstance(error, FileNotFoundError):
        return WatchlistError(f"{path} does not exist.", "Build a watchlist with: lfr watchlist build")
    return WatchlistError(f"{path} cannot be read: {error.strerror}.")


def write(path: Path, header: Header, signer: Signer, ciphertext: bytes | memoryview) -> None:
    """Sign the header and write the file, without approvals."""
    header_bytes = header.model_dump_json().encode()
    content = bytearray(_PREFIX.pack(MAGIC, VERSION, len(header_bytes)))
    content += header_bytes + signer.sign(header_message(header_bytes))
    content += ciphertext
    write_private(path, content)


def read(path: Path, named: Path | None = None) -> Container:
    """Take a sealed file apart and check that it is whole.

    Parameters
    ----------
    named
        What errors call it, where a copy is read and its reader knows the file by another name.

    Raises
    ------
    WatchlistError
        It is missing, something else, of a later version, truncated or altered; each in its own sentence.
    """
    _require_file(path)
    named = named or path
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise WatchlistError(f"{named} is larger than a sealed watchlist can be.")
            content = file.read()
    except OSError as error:
        raise _unreadable(named, error) from None
    return _parse(named, content)


def _require_file(path: Path) -> None:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise WatchlistError(f"{path} is not a file.", "Name a file made by: lfr watchlist build")


def _parse(path: Path, content: bytes) -> Container:
    if not content.startswith(MAGIC):
        if content and MAGIC.startswith(content):
            raise _truncated(path)
        raise WatchlistError(f"{path} is not a sealed watchlist.", "Name a file made by: lfr watchlist build")
    if len(content) < _PREFIX.size:
        raise _truncated(path)
    _, version, header_length = _PREFIX.unpack_from(content)
    if version != VERSION:
        raise WatchlistError(
            f"{path} has format version {version}; this program reads version {VERSION}.",
            "Build it again with this program's version.",
        )
    start = _PREFIX.size
    if not 0 < header_length <= MAX_HEADER_BYTES:
        raise _altered(path, "its header has an impossible length")
    body = start + header_length + _SIGNATURE_BYTES
    if len(content) < body:
        raise _truncated(path)
    header_bytes = content[start : start + header_length]
    signature = content[start + header_length : body]
    try:
        header = Header.model_validate_json(header_bytes)
    except ValidationError:
        raise _altered(path, "its header cannot be read") from None
    builder = PublicSigner(header.builder, base64.b64decode(header.builder_key))
    if not builder.verify(signature, header_message(header_bytes)):
        raise _altered(path, "its header is not what the builder signed")
    end = body + header.ciphertext_bytes
    if len(content) < end:
        raise _truncated(path)
    ciphertext = memoryview(content)[body:end]
    if hashlib.sha256(ciphertext).hexdigest() != header.ciphertext_sha256:
        raise _altered(path, "its content is not what the builder signed")
    approvals = _parse_approvals(path, content[end:], header_bytes)
    whole = hashlib.sha256(content).hexdigest()
    return Container(path, header, header_bytes, signature, ciphertext, approvals, whole)


def _parse_approvals(path: Path, tail: bytes, header_bytes: bytes) -> tuple[SignedApproval, ...]:
    approvals: list[SignedApproval] = []
    position = 0
    while position < len(tail):
        if len(approvals) == MAX_APPROVALS:
            raise _altered(path, f"it has more than {MAX_APPROVALS} approvals")
        length = int.from_bytes(tail[position : position + 2], "little")
        chunk = tail[position + 2 : position + 2 + length]
        if len(chunk) < length or position + 2 > len(tail) or not length:
            raise _truncated(path)
        try:
            record = SignedApproval.model_validate_json(chunk)
            signature = base64.b64decode(record.signature, validate=True)
        except (ValidationError, binascii.Error):
            raise _altered(path, "one of its approvals cannot be read") from None
        signer = PublicSigner(record.name, base64.b64decode(record.key))
        if not signer.verify(signature, approval_message(header_bytes, record.name, record.at)):
            raise _altered(path, f"the approval by {record.name!r} is not one of this list")
        approvals.append(record)
        position += 2 + length
    return tuple(approvals)


def append_approval(path: Path, signer: Signer, at: datetime) -> Container:
    """Add a signer's approval to the file.

    Two people may do this at the same time: the file is locked while it is read and replaced.

    Raises
    ------
    WatchlistError
        The file is not whole, the signer built it, or has approved it already.
    """
    _require_file(path)
    while True:
        with contextlib.ExitStack() as held:
            try:
                handle = held.enter_context(locked(path.resolve(), create=False))
            except FileError as error:
                raise _unreadable(path, error.cause) from None
            if os.fstat(handle).st_ino != path.stat().st_ino:
                continue  # somebody replaced it while we waited for the lock
            container = read(path)
            _refuse_approver(container, signer)
            at = datetime.fromisoformat(utc_text(at))
            signature = signer.sign(approval_message(container.header_bytes, signer.name, at))
            record = SignedApproval(
                name=signer.name, key=signer.public.key_text, at=at, signature=base64.b64encode(signature).decode()
            )
            chunk = record.model_dump_json().encode()
            write_private(path, path.read_bytes() + len(chunk).to_bytes(2, "little") + chunk)
            return read(path)


def same_person(name: str, other: str) -> bool:
    """Whether two names are written for one person: capitals, spaces and full stops do not count."""
    return re.sub(r"[\W_]+", "", name.casefold()) == re.sub(r"[\W_]+", "", other.casefold())


def _refuse_approver(container: Container, signer: Signer) -> None:
    header = container.header
    if signer.public.key == container.builder.key or same_person(signer.name, header.builder):
        raise WatchlistError(
            f"{signer.name} built this list and so cannot approve it.", "Ask somebody else to look at it and approve."
        )
    for record in container.approvals:
        if record.key == signer.public.key_text or same_person(signer.name, record.name):
            raise WatchlistError(f"{record.name} approved this list already.", "Another approval needs another person.")
    if len(container.approvals) >= MAX_APPROVALS:
        raise WatchlistError(f"{container.path} has {MAX_APPROVALS} approvals, which is as many as it can hold.")


def _altered(path: Path, how: str) -> WatchlistError:
    return WatchlistError(
        f"{path} was altered after it was sealed: {how}.", "Do not use it; fetch it again from who built it."
    )


def _truncated(path: Path) -> WatchlistError:
    return WatchlistError(f"{path} is truncated: its end is missing.", "Copy it again from where it was built.")
