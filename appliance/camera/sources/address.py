"""What `source:` of a camera names: which kind it is, where it is, and its secrets kept out of every text."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from appliance.config.live import Camera
from appliance.core.credentials import mask_credentials
from appliance.core.errors import SecretError, SourceUnusable

STREAMS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""The schemes that a camera on the network is reached by, with their usual ports."""

MAX_CREDENTIALS_BYTES = 1024


@dataclass(frozen=True)
class CameraAddress:
    """Where a camera on the network is. User and password appear in no `repr` and no `str`."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return mask_credentials(self.bare_url)

    @property
    def netloc(self) -> str:
        """Host and port as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == STREAMS[self.scheme] else f"{host}:{self.port}"

    @property
    def bare_url(self) -> str:
        """The URL without user and password. A query may still hold secrets: show `str(address)`, not this."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def secret_url(self) -> str:
        """The URL with user and password, for the decoder alone."""
        if not self.user:
            return self.bare_url
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{self.scheme}://{who}@{self.netloc}{self.path}"


def split_query(source: str) -> tuple[str, str]:
    """A source that is no URL, cut at its first `?`; a path that exists as it stands is left whole."""
    if "?" not in source or Path(source).exists():
        return source, ""
    head, _, query = source.partition("?")
    return head, query


def scheme_of(source: str) -> str:
    """The scheme of a source in lower case (`rtsp`, `street`, …); empty for a path."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", source)
    return match[1].lower() if match else ""


def read_credentials(path: Path) -> tuple[str, str]:
    """User and password from a file with one line `USER:PASSWORD`.

    Raises
    ------
    SecretError
        The file is missing, readable by others, or holds something else.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise SecretError(f"{path} is not a file.", "Name a file with one line USER:PASSWORD.")
        if mode & 0o077:
            raise SecretError(f"{path} can be read by others.", f"Run: chmod 600 {path}")
        with path.open("rb") as file:
            raw = file.read(MAX_CREDENTIALS_BYTES + 1)
    except FileNotFoundError:
        raise SecretError(f"{path} does not exist.", "Write one line USER:PASSWORD into it and chmod 600 it.") from None
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}.") from None
    # No cause is chained from here: its text would show bytes of the secret.
    try:
        line = raw.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        line = ""
    user, colon, password = line.partition(":")
    if not user or not colon or "\n" in line or len(raw) > MAX_CREDENTIALS_BYTES:
        raise SecretError(f"{path} does not hold one line USER:PASSWORD.")
    return user, password


def parse_address(camera: Camera) -> CameraAddress:
    """The address of a camera on the network, with the credentials of its file if it has one.

    Raises
    ------
    SourceUnusable
        The URL has no host, or a port that is none.
    SecretError
        From the file of credentials.
    """
    wrong = SourceUnusable(
        f"camera {camera.name}: {camera.safe_source} is not an address.",
        "It must look like rtsp://HOST:PORT/PATH; percent-encode / ? # @ in a password, or use credentials.",
    )
    try:
        parts = urlsplit(camera.source)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not host or re.search(r"[\s\x00-\x1f]", camera.source):
        raise wrong
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if camera.credentials is not None:
        user, password = read_credentials(camera.credentials)
    scheme = parts.scheme.lower()
    path = urlunsplit(("", "", parts.path, parts.query, ""))
    return CameraAddress(scheme, host, port or STREAMS[scheme], path, user, password)
