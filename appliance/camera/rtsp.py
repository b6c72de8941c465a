"""Ask a camera on the network what is wrong, in words: OpenCV only ever says that it could not open it.

Runs before each attempt to open, so that an absent, silent or foreign machine is found with time-outs of our own and
without OpenCV's process-wide lock. Formulas of the answer to a challenge: RFC 2617, sections 2 and 3 (RTSP: RFC 2326,
section 14).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import socket
import ssl
import time

from appliance.camera.location import Address
from appliance.errors import SourceError, SourceRefused

MAX_ANSWER_BYTES = 65_536


def check_reachable(address: Address, timeout_s: float) -> None:
    """Connect, and for RTSP ask for a description of the stream with our credentials.

    Raises
    ------
    SourceError
        With what is wrong: name unknown, connection refused, no route, silent, not RTSP, no such stream, no video.
    SourceRefused
        User and password are missing or not accepted.
    """
    deadline = time.monotonic() + timeout_s
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
        if address.scheme not in {"rtsp", "rtsps"}:
            return
        try:
            if address.scheme == "rtsps":
                # Cameras have self-signed certificates; FFmpeg, which opens the stream, does not check them either.
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = context.wrap_socket(connection, server_hostname=address.host)
            _describe(connection, address, deadline)
        except TimeoutError:
            raise SourceError(
                f"{where} accepts the connection and then says nothing.", "Restart the camera; it may hang."
            ) from None
        except OSError as error:
            raise SourceError(f"{where} ends the connection ({error.strerror or 'network error'}).") from None


def _describe(connection: socket.socket, address: Address, deadline: float) -> None:
    authorisation = ""
    for attempt in (1, 2):
        request = (
            f"DESCRIBE {address.bare_url} RTSP/1.0\r\nCSeq: {attempt}\r\nUser-Agent: lfr\r\n"
            f"Accept: application/sdp\r\n{authorisation}\r\n"
        )
        connection.settimeout(max(0.05, deadline - time.monotonic()))
        connection.sendall(request.encode("utf-8"))
        status, headers, body = _answer(connection, address, deadline)
        if status == 401 and attempt == 1 and address.user:
            authorisation = _authorisation(headers, address)
            if authorisation:
                continue
        break
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


def _answer(connection: socket.socket, address: Address, deadline: float) -> tuple[int, list[tuple[str, str]], bytes]:
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


def _authorisation(headers: list[tuple[str, str]], address: Address) -> str:
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
