"""Ask a camera on the network what is wrong, in words: OpenCV only ever says that it could not open it.

Before each attempt to open, with time-outs of our own and without OpenCV's process-wide lock: is there a camera? After
an attempt that failed: what does it say of this stream? The second question is not asked first, because a camera may
prepare the stream to answer it, take it down as we leave, and then refuse the attempt that follows (GStreamer's server
does, with status 503). Formulas of the answer to a challenge: RFC 2617, sections 2 and 3 (RTSP: RFC 2326, section 14).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
import socket
import ssl
import time
from collections.abc import Iterator

from appliance.camera.sources.address import CameraAddress
from appliance.core.errors import SourceError, SourceRefused

MAX_ANSWER_BYTES = 65_536


def check_reachable(address: CameraAddress, timeout_s: float) -> None:
    """Connect, and for RTSP see that the other side speaks it (`OPTIONS`).

    Raises
    ------
    SourceError
        With what is wrong: name unknown, connection refused, no route, silent, not RTSP.
    """
    deadline = time.monotonic() + timeout_s
    with _connection(address, timeout_s) as connection:
        if address.scheme in {"rtsp", "rtsps"}:
            _ask(connection, address, "OPTIONS", 1, "", deadline)


def explain_failure(address: CameraAddress, timeout_s: float) -> None:
    """Ask for a description of an RTSP stream that could not be opened; returns when it offers video.

    Raises
    ------
    SourceError
        With what is wrong: as `check_reachable`, or no such stream, another status, no video.
    SourceRefused
        User and password are missing or not accepted.
    """
    if address.scheme not in {"rtsp", "rtsps"}:
        return
    deadline = time.monotonic() + timeout_s
    with _connection(address, timeout_s) as connection:
        _describe(connection, address, deadline)


@contextlib.contextmanager
def _connection(address: CameraAddress, timeout_s: float) -> Iterator[socket.socket]:
    """Connected to the camera; what goes wrong with the network, then or within, is a `SourceError`."""
    where = f"{address.host}:{address.port}"
    try:
        connection: socket.socket = socket.create_connection((address.host, address.port), timeout=timeout_s)
    except socket.gaierror:
        raise SourceError(f"The name {address.host} is not known.", "Check the address, or the name server.") from None
    except TimeoutError:
        raise SourceError(
            f"{where} did not answer within {timeout_s:g} s.", "Check power, cable and address of the camera."
        ) from None
    except ConnectionRefusedError:
        raise SourceError(
            f"{where} refuses connections.", "The machine is there but does not stream; is it still starting?"
        ) from None
    except OSError as error:
        raise SourceError(f"{where} cannot be reached ({error.strerror or 'network error'}).") from None
    with connection:
        try:
            if address.scheme == "rtsps":
                # Cameras have self-signed certificates; FFmpeg, which opens the stream, does not check them either.
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with context.wrap_socket(connection, server_hostname=address.host) as encrypted:
                    yield encrypted
            else:
                yield connection
        except TimeoutError:
            raise SourceError(
                f"{where} accepts the connection and then says nothing.", "Restart the camera; it may hang."
            ) from None
        except OSError as error:
            raise SourceError(f"{where} ends the connection ({error.strerror or 'network error'}).") from None


def _describe(connection: socket.socket, address: CameraAddress, deadline: float) -> None:
    extra = "Accept: application/sdp\r\n"
    status, headers, body = _ask(connection, address, "DESCRIBE", 1, extra, deadline)
    if status == 401 and address.user and (authorisation := _authorisation(headers, address)):
        status, _, body = _ask(connection, address, "DESCRIBE", 2, extra + authorisation, deadline)
    if status in {401, 403}:
        given = "refuses this user and password" if address.user else "wants a user and a password"
        raise SourceRefused(
            f"{address.host}:{address.port} {given}.",
            "Set the camera's credentials: to a file with USER:PASSWORD; it is tried again slowly until then.",
        )
    if status == 404:
        raise SourceError(f"{address} does not exist on that camera.", "Check the path of the stream.")
    if status != 200:
        raise SourceError(f"{address.host}:{address.port} answers with RTSP status {status}.")
    if b"m=video" not in body:
        raise SourceError(f"{address} offers no video.", "Check the path of the stream.")


def _ask(
    connection: socket.socket, address: CameraAddress, method: str, number: int, extra: str, deadline: float
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send one request; status, headers and body of its answer."""
    connection.settimeout(max(0.05, deadline - time.monotonic()))
    request = f"{method} {address.bare_url} RTSP/1.0\r\nCSeq: {number}\r\nUser-Agent: lfr\r\n{extra}\r\n"
    connection.sendall(request.encode("utf-8"))
    return _answer(connection, address, deadline)


def _answer(
    connection: socket.socket, address: CameraAddress, deadline: float
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of one answer."""
    foreign = SourceError(
        f"{address.host}:{address.port} answers, but does not speak RTSP.", "Check the port; is it the web page's?"
    )
    data = b""
    wanted = -1
    while wanted < 0 or len(data) < wanted:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(4096)
        if not piece:
            if not data:
                raise SourceError(f"{address.host}:{address.port} ends the connection without an answer.")
            raise foreign
        data += piece
        if not data.startswith(b"RTSP/"[: len(data)]) or len(data) > MAX_ANSWER_BYTES:
            raise foreign
        end = data.find(b"\r\n\r\n")
        if wanted < 0 <= end:
            length = re.search(rb"(?im)^content-length:\s*(\d{1,6})", data[:end])
            wanted = end + 4 + (int(length[1]) if length else 0)
    head = data[:end].decode("utf-8", "replace").split("\r\n")
    status = re.match(r"RTSP/\d\.\d (\d{3})", head[0])
    if status is None:
        raise foreign
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:])]
    return int(status[1]), headers, data[end + 4 :]


def _authorisation(headers: list[tuple[str, str]], address: CameraAddress) -> str:
    """The header line that answers the best challenge; empty when there is none that we know."""
    challenges = [value for name, value in headers if name == "www-authenticate"]
    for challenge in challenges:
        kind, _, rest = challenge.partition(" ")
        if kind.lower() != "digest":
            continue
        # An attribute's value is quoted, or ends at a comma.
        given = {k.lower(): quoted or bare for k, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)}
        if given.get("algorithm", "MD5").upper() != "MD5":
            continue
        realm, nonce, uri = given.get("realm", ""), given.get("nonce", ""), address.bare_url
        ha1, ha2 = _md5(f"{address.user}:{realm}:{address.password}"), _md5(f"DESCRIBE:{uri}")
        extra = ""
        if "auth" in given.get("qop", "").split(","):
            cnonce = secrets.token_hex(8)
            response = _md5(f"{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}")
            extra = f', qop=auth, nc=00000001, cnonce="{cnonce}"'
        else:
            response = _md5(f"{ha1}:{nonce}:{ha2}")
        return (
            f'Authorization: Digest username="{address.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}"{extra}\r\n'
        )
    if any(challenge.lower().startswith("basic") for challenge in challenges):
        token = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
        return f"Authorization: Basic {token}\r\n"
    return ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
