"""The sealed watchlist: made for one appliance, opened into memory only, and refused for any reason there is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyrage

from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import WatchlistError
from appliance.core.types import Float32, Int32
from appliance.gallery.watchlist import container
from appliance.gallery.watchlist.container import Container, Header, digest, same_person
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.payload import Payload, decode, decrypt, encode, encrypt
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.security.keys import Signer, load_identity, load_signers

__all__ = [
    "Approval",
    "Terms",
    "Watchlist",
    "check",
    "digest",
    "open_container",
    "open_sealed",
    "seal",
]


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody whom the appliance knows looked at the list and agreed."""

    name: str
    at: datetime


@dataclass(slots=True, eq=False)
class Watchlist:
    """An opened watchlist, in the memory of this process only.

    Attributes
    ----------
    entries
        The people; those whose own expiry has passed are left out (`expired_ids`).
    templates
        An array of shape `(t, d)`, float32: unit vectors, those of an entry together.
    entry_of_template
        An array of shape `(t,)`, int32: position in `entries`, ascending.
    portraits
        One JPEG a template, 256×256, framed like every other face.
    embedder
        Which model made the templates: `name@sha12`.
    digest
        SHA-256 of the sealed file, hexadecimal.
    """

    entries: tuple[Entry, ...]
    templates: Float32 = field(repr=False)
    entry_of_template: Int32 = field(repr=False)
    portraits: list[bytearray] = field(repr=False)
    embedder: str
    deployment: str
    sequence: int
    built_at: datetime
    expires_at: datetime
    builder: str
    approvals: tuple[Approval, ...]
    digest: str
    expired_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def portrait_of(self, template: int) -> bytes:
        """The JPEG of a template, as it goes into an alert."""
        return bytes(self.portraits[template])

    def wipe(self) -> None:
        """Overwrite templates and portraits in place and forget the entries. Calling it again is harmless.

        What Python cannot promise: the entries' texts (ids, labels) are immutable strings and are only let go, as are
        copies that `portrait_of` gave out; pages may have been swapped to a disk unless swap is off or encrypted; and
        an index that was built from the templates holds its own copy, which `wipe` of the index overwrites.
        """
        self.templates.fill(0)
        for portrait in self.portraits:
            portrait[:] = bytes(len(portrait))
        self.portraits.clear()
        self.entries = ()
        self.templates = np.zeros((0, self.templates.shape[1]), np.float32)
        self.entry_of_template = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is said of a list when it is sealed.

    Attributes
    ----------
    recipient
        The public key of the appliance that may open it, `age1…`.
    embedder
        Which model made the templates: `name@sha12`.
    deployment
        The one that it is for; empty: for trials only.
    sequence
        Default: seconds since 1970 at `created`, and more than the sequence of a list that is there already.
    created
        Default: now.
    """

    recipient: str
    embedder: str
    expires: datetime
    deployment: str = ""
    sequence: int | None = None
    created: datetime | None = None


def seal(path: Path, payload: Payload, signer: Signer, terms: Terms) -> Header:
    """Encrypt a payload to an appliance, sign it and write it (0600, whole or not at all).

    Raises
    ------
    FileError
        The file cannot be written.
    """
    created, sequence = terms.created or utc_now(), terms.sequence
    if sequence is None:
        sequence = int(created.timestamp())
        if path.exists():
            try:
                sequence = max(sequence, container.read(path).header.sequence + 1)
            except WatchlistError:
                sequence = int(created.timestamp())  # whatever lies there says nothing about an order
    plaintext = encode(payload)
    try:
        ciphertext = encrypt(plaintext, [terms.recipient])
    finally:
        plaintext[:] = bytes(len(plaintext))
    header = Header(
        deployment=terms.deployment,
        sequence=sequence,
        created=created,
        expires=terms.expires,
        builder=signer.name,
        builder_key=signer.public.key_text,
        entries=len(payload.entries),
        templates=len(payload.portraits),
        dimension=payload.templates.shape[1],
        embedder=terms.embedder,
        recipient=terms.recipient,
        plaintext_bytes=len(plaintext),
        ciphertext_bytes=len(ciphertext),
        ciphertext_sha256=hashlib.sha256(ciphertext).hexdigest(),
    )
    container.write(path, header, signer, memoryview(ciphertext))
    return header


def check(sealed: Container, policy: WatchlistPolicy) -> tuple[Approval, ...]:
    """Whether an appliance may use the list; the content need not be opened for it.

    Returns
    -------
    The approvals that count, in the order in which they were given.

    Raises
    ------
    WatchlistError
        Unknown builder, other deployment, none at all, expired, rolled back, approved by its builder, approved twice
        by one person, not approved enough, too many entries, other embedder: each in its own sentence.
    """
    header, path = sealed.header, sealed.path
    builders = load_signers(policy.builders_dir)
    builder = builders.get(sealed.builder.key)
    if builder is None:
        raise WatchlistError(
            f"{path} was built by {header.builder!r}, whose key is not in {policy.builders_dir}.",
            "Put their .pub file there if their lists are to be taken.",
        )
    if not header.deployment and policy.approvals > 0:
        raise WatchlistError(
            f"{path} names no deployment, and only a trial without approvals may use such a list.",
            "Build it with --deployment or -c CONFIG.",
        )
    if header.deployment and header.deployment != policy.deployment:
        raise WatchlistError(
            f"{path} was built for deployment {header.deployment!r}, not for {policy.deployment!r}.",
            "Build a list for this deployment.",
        )
    if policy.now >= header.expires:
        raise WatchlistError(f"{path} expired at {utc_text(header.expires)}.", "Build a new list.")
    if header.sequence < policy.min_sequence:
        raise WatchlistError(
            f"{path} is an older list than one already used here (sequence {header.sequence}, seen "
            f"{policy.min_sequence}).",
            "Use the newest list, or build it again.",
        )
    if header.entries > policy.max_entries:
        raise WatchlistError(
            f"{path} has {header.entries} entries; at most {policy.max_entries} are allowed.",
            "Build a shorter list; watchlist.max_entries in the configuration sets the limit.",
        )
    if policy.embedder_ref is not None and header.embedder != policy.embedder_ref:
        raise WatchlistError(
            f"{path} was made with the embedder {header.embedder}, but {policy.embedder_ref} is running.",
            "Build it again with the models of this appliance.",
        )
    return _check_approvals(sealed, builder.name, policy)


def _check_approvals(sealed: Container, builder: str, policy: WatchlistPolicy) -> tuple[Approval, ...]:
    known = load_signers(policy.approvers_dir)
    counted: list[Approval] = []
    strangers: list[str] = []
    for record in sealed.approvals:
        key = base64.b64decode(record.key)
        approver = known.get(key)
        name = approver.name if approver else record.name
        if key == sealed.builder.key or same_person(name, builder) or same_person(name, sealed.header.builder):
            raise WatchlistError(
                f"{sealed.path} is approved by {name!r}, who built it.", "An approval must be somebody else's."
            )
        if any(same_person(name, other.name) for other in counted):
            raise WatchlistError(
                f"{sealed.path} is approved twice by {name!r}.", "Every approval must be another person's."
            )
        if approver is None:
            strangers.append(record.name)
        else:
            counted.append(Approval(approver.name, record.at))
    if len(counted) < policy.approvals:
        has = f"{len(counted)} of the {policy.approvals} approvals that it needs"
        who = f" ({', '.join(approval.name for approval in counted)})" if counted else ""
        unknown = f"; the key of {', '.join(strangers)} is not in {policy.approvers_dir}" if strangers else ""
        raise WatchlistError(
            f"{sealed.path} has {has}{who}{unknown}.", "Approve it with: lfr watchlist approve FILE --key KEY"
        )
    return tuple(counted)


def open_container(sealed: Container, key_path: Path, *, approvals: Iterable[Approval], now: datetime) -> Watchlist:
    """Decrypt a list that was checked, or that is only to be looked at.

    Raises
    ------
    SecretError
        The key file is missing, readable by others, or no key.
    WatchlistError
        The list is not for this key, or its content does not fit its header.
    """
    header, path = sealed.header, sealed.path
    identity = load_identity(key_path)
    if str(identity.to_public()) != header.recipient:
        raise WatchlistError(
            f"{path} is sealed for another appliance than the one whose key is {key_path}.",
            "Build it with --to and this appliance's seal.pub.",
        )
    try:
        plaintext = decrypt(sealed.ciphertext, identity, header.plaintext_bytes)
    except (pyrage.DecryptError, ValueError, OSError):
        raise WatchlistError(f"{path} cannot be decrypted with {key_path}.", "Build it again.") from None
    try:
        content = decode(plaintext, header.entries)
    finally:
        plaintext[:] = bytes(len(plaintext))
    shape = (header.templates, header.dimension)
    if len(content.entries) != header.entries or content.templates.shape != shape:
        content.wipe()
        raise WatchlistError(f"{path} does not hold what its header says.", "Build it again.")
    content, expired = _without_expired(content, now)
    return Watchlist(
        entries=content.entries,
        templates=content.templates,
        entry_of_template=content.entry_of_template,
        portraits=content.portraits,
        embedder=header.embedder,
        deployment=header.deployment,
        sequence=header.sequence,
        built_at=header.created,
        expires_at=header.expires,
        builder=header.builder,
        approvals=tuple(approvals),
        digest=sealed.digest,
        expired_ids=expired,
    )


def _without_expired(content: Payload, now: datetime) -> tuple[Payload, tuple[str, ...]]:
    """The payload without entries that expired on an earlier day than today (UTC); their data is overwritten."""
    today = now.astimezone(utc_now().tzinfo).date()
    stands = np.array([not e.expired(today) for e in content.entries], bool)
    if stands.all():
        return content, ()
    keep = stands[content.entry_of_template]
    renumbered = np.cumsum(stands, dtype=np.int32) - 1
    kept = Payload(
        entries=tuple(e for e, stays in zip(content.entries, stands, strict=True) if stays),
        templates=content.templates[keep],
        entry_of_template=renumbered[content.entry_of_template[keep]].astype(np.int32),
        portraits=[bytearray(p) for p, stays in zip(content.portraits, keep, strict=True) if stays],
    )
    expired = tuple(e.id for e, stays in zip(content.entries, stands, strict=True) if not stays)
    content.wipe()
    return kept, expired


def open_sealed(path: Path, key_path: Path, policy: WatchlistPolicy, named: Path | None = None) -> Watchlist:
    """Check a sealed list as the policy asks, decrypt it and give what is in it. Safe in any thread.

    The plaintext goes into one buffer, is copied out of it and the buffer is overwritten; so are the pieces in which
    the library hands it over. The library's own buffers and the JSON text of the entries are not in Python's reach.
    Errors call the file `named`, where it is a copy of what its owner knows by that name.

    Raises
    ------
    WatchlistError
        The list is missing, something else, truncated, altered, by an unknown builder, for another deployment or
        appliance, expired, older than one used before, not approved, too long, or made with another embedder; each
        in its own sentence.
    SecretError
        A key file is missing, readable by others, or no key.
    """
    sealed = container.read(path, named)
    counted = check(sealed, policy)
    return open_container(sealed, key_path, approvals=counted, now=policy.now)
