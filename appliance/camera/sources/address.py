"""What `source:` of a camera means: which kind it is, its options, and its secrets kept out of every text."""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from appliance.config.live import Camera
from appliance.core.credentials import mask_credentials
from appliance.core.errors import SecretError, SourceUnusable

STREAMS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""The schemes that a camera on the network is reached by, with their usual ports."""

MAX_CREDENTIALS_BYTES = 1024


class Options:
    """The options after the `?` of a source, checked: an unknown one is an error that lists what is allowed.

    Parameters
    ----------
    source
        The source as it may be shown.
    query
        What follows the `?`.
    allowed
        Name of each option to what it means, in the words of an error message.

    Raises
    ------
    SourceUnusable
        For an unknown option, one given twice, or (from the getters) a value that is not allowed.
    """

    def __init__(self, source: str, query: str, allowed: Mapping[str, str]) -> None:
        self._source = source
        self._values: dict[str, str] = {}
        listed = "; ".join(f"{name}={meaning}" for name, meaning in allowed.items()) or "none"
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in allowed:
                raise SourceUnusable(f"{source}: there is no option {name!r} here.", f"Allowed: {listed}.")
            if name in self._values:
                raise SourceUnusable(f"{source}: the option {name!r} is given twice.")
            self._values[name] = value

    def text(self, name: str, default: str = "") -> str:
        """An option's value as it stands."""
        return self._values.get(name, default)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self._values.get(name, default)
        if value not in allowed:
            raise self._wrong(name, " or ".join(allowed))
        return value

    def flag(self, name: str) -> bool:
        """`1` or `0` (the default)."""
        return self.choice(name, "0", ("0", "1")) == "1"

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        text = self._values.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}")
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise self._wrong(name, f"a whole number from {low} to {high}")
        return int(value)

    def size(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        """`WIDTHxHEIGHT` in pixels, both even, from 64 to 7680."""
        text = self._values.get(name)
        if text is None:
            return default
        match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
        if match is None or not all(64 <= int(part) <= 7680 and int(part) % 2 == 0 for part in match.groups()):
            raise self._wrong(name, "WIDTHxHEIGHT in even pixels from 64 to 7680, like 1280x720")
        return int(match[1]), int(match[2])

    def _wrong(self, name: str, wanted: str) -> SourceUnusable:
        given = mask_credentials(self._values.get(name, ""))[:80]
        return SourceUnusable(f"{self._source}: {name}={given} is not allowed;", f"it must be {wanted}.")


@dataclass(frozen=True)
class Address:
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


def parse_address(camera: Camera) -> Address:
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
    return Address(scheme, host, port or STREAMS[scheme], path, user, password)
