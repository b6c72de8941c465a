"""Keys: the appliance's sealing pair (age, X25519) and the signing pairs (Ed25519) of builders and approvers.

A public signing key is one line, `lfr-ed25519 BASE64 A. Smith`. It says nothing about a role: a person is a builder
where the appliance's `builders/` holds their line and an approver where its `approvers/` does.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from appliance.core.errors import SecretError
from appliance.core.files import create_private, make_folder, read_secret

SCHEME = "lfr-ed25519"
MAX_SIGNERS = 1000
_NAME = re.compile(r"^\S(?:[^\x00-\x1f\x7f]{0,62}\S)?$")


def check_name(name: str) -> str:
    """The person's name as it will be signed.

    Raises
    ------
    SecretError
        It is empty, longer than 64 characters, or holds control characters.
    """
    name = name.strip()
    if not _NAME.match(name):
        raise SecretError(f"{name!r} cannot be a signer's name.", "Use 1 to 64 printable characters.")
    return name


@dataclass(frozen=True)
class PublicSigner:
    """Somebody whose signatures can be checked: name and Ed25519 public key (32 bytes)."""

    name: str
    key: bytes

    @property
    def key_text(self) -> str:
        """The public key as base64, as headers and public files carry it."""
        return base64.b64encode(self.key).decode()

    @property
    def line(self) -> str:
        """The one line of the public file."""
        return f"{SCHEME} {self.key_text} {self.name}\n"

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature over the message is this signer's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """Somebody who can sign; the secret is not in the `repr`."""

    public: PublicSigner
    secret: Ed25519PrivateKey = field(repr=False)

    @property
    def name(self) -> str:
        """The person's name."""
        return self.public.name

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes)."""
        return self.secret.sign(message)


def parse_public(text: str, where: str) -> PublicSigner:
    """Read a public signing key from its one line.

    Raises
    ------
    SecretError
        It is something else.
    """
    parts = text.strip().split(None, 2)
    try:
        key = base64.b64decode(parts[1], validate=True) if len(parts) == 3 and parts[0] == SCHEME else b""
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise SecretError(f"{where} is not a signer's public key.", f"It should hold one line: {SCHEME} BASE64 NAME")
    return PublicSigner(check_name(parts[2]), key)


def load_signers(folder: Path) -> dict[bytes, PublicSigner]:
    """All signers of a folder of `*.pub`, by public key; empty when the folder is missing.

    Raises
    ------
    SecretError
        One of the files is not a public key, or two of them give one key different names.
    """
    signers: dict[bytes, PublicSigner] = {}
    if not folder.is_dir():
        return signers
    paths = sorted(folder.glob("*.pub"))
    if len(paths) > MAX_SIGNERS:
        raise SecretError(f"{folder} holds more than {MAX_SIGNERS} keys.")
    for path in paths:
        signer = parse_public(_read_text(path), str(path))
        if signers.setdefault(signer.key, signer) != signer:
            raise SecretError(f"{path} gives a key another name than another file in {folder} does.", "Remove one.")
    return signers


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise SecretError(f"{path} is not a file.", "Name a public key, a .pub file.")
        if path.stat().st_size > 10_000:
            raise SecretError(f"{path} is not a public key: it is too large.", "Name a .pub file.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SecretError(f"{path} does not exist.", "Make keys with: lfr keys new DIR") from None
    except (OSError, UnicodeDecodeError):
        raise SecretError(f"{path} cannot be read as a key.", "Name a .pub file that you may read.") from None


def load_signer(path: Path, passphrase: str | None = None) -> Signer:
    """Read a secret signing key.

    Raises
    ------
    SecretError
        Missing, readable by others, not such a key, or the passphrase is wrong or missing.
    """
    content = read_secret(path, "a signer's secret key")
    try:
        first, _, pem = bytes(content).partition(b"\n")
        name = first.decode("utf-8", "replace").removeprefix("# ").strip()
        secret = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except TypeError:
        problem = "needs its passphrase" if passphrase is None else "has no passphrase"
        raise SecretError(f"{path} {problem}.", "Use --passphrase-file, or leave it out.") from None
    except ValueError:
        wrong = "its passphrase is wrong, or it" if passphrase else "it"
        raise SecretError(f"{path} cannot be used: {wrong} is not a signer's secret key.") from None
    finally:
        content[:] = bytes(len(content))
    if not isinstance(secret, Ed25519PrivateKey):
        raise SecretError(f"{path} is not an Ed25519 key.", "Make one with: lfr keys signer DIR --name NAME")
    public = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer(PublicSigner(check_name(name), public), secret)


def new_signer(
    folder: Path, stem: str, name: str, *, public_folder: Path | None = None, passphrase: str | None = None
) -> tuple[Path, Path]:
    """Make a signing pair: `STEM.key` (0600) in `folder` and `STEM.pub` in `public_folder` (default `folder`).

    Returns
    -------
    The two paths, secret first.

    Raises
    ------
    SecretError
        One of them exists.
    """
    name = check_name(name)
    secret = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = f"# {name}\n".encode() + secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    public = PublicSigner(name, secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    secret_path, public_path = folder / f"{stem}.key", (public_folder or folder) / f"{stem}.pub"
    make_folder(folder)
    make_folder(public_path.parent, mode=0o755)
    _refuse_existing(secret_path, public_path)
    create_private(secret_path, pem)
    create_private(public_path, public.line.encode(), mode=0o644)
    return secret_path, public_path


def new_appliance_keys(folder: Path, builder_name: str) -> list[Path]:
    """Make what a first watchlist needs: `seal.key`, `seal.pub`, `builder.key`, `builders/builder.pub`, `approvers/`.

    Returns
    -------
    The files made.

    Raises
    ------
    SecretError
        One of them exists; then nothing is made.
    """
    seal, seal_public = folder / "seal.key", folder / "seal.pub"
    _refuse_existing(seal, seal_public, folder / "builder.key", folder / "builders" / "builder.pub")
    make_folder(folder)
    make_folder(folder / "approvers", mode=0o755)
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    create_private(seal, f"# public key: {public}\n{identity}\n".encode())
    create_private(seal_public, f"{public}\n".encode(), mode=0o644)
    pair = new_signer(folder, "builder", builder_name, public_folder=folder / "builders")
    return [seal, seal_public, *pair]


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists() or path.is_symlink():
            raise SecretError(
                f"{path} exists already and a key is never overwritten.",
                "Name another folder; a list sealed for a lost key can never be opened again.",
            )


def load_recipient(path: Path) -> str:
    """The appliance's public sealing key, `age1…`, from `seal.pub`.

    Raises
    ------
    SecretError
        Missing, or not such a key.
    """
    lines = [line.strip() for line in _read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    try:
        (text,) = lines
        return str(pyrage.x25519.Recipient.from_str(text))
    except (ValueError, pyrage.RecipientError):
        raise SecretError(
            f"{path} is not a public sealing key.", "It should be seal.pub, made by: lfr keys new DIR"
        ) from None


def load_identity(path: Path) -> pyrage.x25519.Identity:
    """The appliance's secret sealing key from `seal.key`.

    Raises
    ------
    SecretError
        Missing, readable by others, or not such a key.
    """
    content = read_secret(path, "the appliance's sealing key")
    try:
        lines = [line.strip() for line in bytes(content).splitlines()]
        (secret,) = [line for line in lines if line.startswith(b"AGE-SECRET-KEY-1")]
        return pyrage.x25519.Identity.from_str(secret.decode())
    except (ValueError, pyrage.IdentityError):
        raise SecretError(
            f"{path} is not a secret sealing key.", "It should be seal.key, made by: lfr keys new DIR"
        ) from None
    finally:
        content[:] = bytes(len(content))


def signer_stem(name: str) -> str:
    """A file name made of a person's name: `A. Smith` → `a-smith`.

    Raises
    ------
    SecretError
        Nothing is left of it.
    """
    stem = re.sub(r"[^\w]+", "-", check_name(name).lower()).strip("-")
    if not stem:
        raise SecretError(f"{name!r} gives no file name.", "Use --file STEM.")
    return stem


def read_passphrase(path: Path | None) -> str | None:
    """The first line of a passphrase file (mode 0600); None without one.

    Raises
    ------
    SecretError
        The file is missing, readable by others, empty or not text.
    """
    if path is None:
        return None
    try:
        text = read_secret(path, "a file with a passphrase").decode().split("\n", 1)[0].strip("\r")
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise SecretError(f"{path} holds no passphrase.", "Write it into the first line.")
    return text
