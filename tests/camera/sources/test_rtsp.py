"""What is wrong with a camera is said in words, and its challenge is answered without sending the password."""

import base64
import hashlib
import re
import socket
from collections.abc import Callable

import pytest
from own_ports import own_port
from rtsp_camera import OddServer

from appliance.camera.sources.address import CameraAddress
from appliance.camera.sources.rtsp import check_reachable, explain_failure
from appliance.core.errors import SourceError, SourceRefused

OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
VIDEO = b"RTSP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nm=video 0 x"


def address(port: int, user: str = "", password: str = "", scheme: str = "rtsp") -> CameraAddress:
    return CameraAddress(scheme, "127.0.0.1", port, "/stream", user, password)


def challenge(*lines: bytes) -> bytes:
    return b"RTSP/1.0 401 Unauthorized\r\n" + b"".join(b"WWW-Authenticate: " + one + b"\r\n" for one in lines) + b"\r\n"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_a_camera_that_speaks_rtsp_is_reachable() -> None:
    with OddServer(OK) as server:
        check_reachable(address(server.port), 30)
        assert server.asked[0].startswith(b"OPTIONS rtsp://127.0.0.1:")


def test_a_camera_by_http_is_reachable_when_it_takes_the_connection() -> None:
    with OddServer() as server:
        check_reachable(address(server.port, scheme="http"), 30)
        explain_failure(address(server.port, scheme="http"), 30)
        assert server.asked == []


def test_an_answer_that_comes_in_pieces_is_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = socket.socket.recv
    monkeypatch.setattr(socket.socket, "recv", lambda self, size: receive(self, min(size, 7)))
    with OddServer(VIDEO) as server:
        explain_failure(address(server.port), 30)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak RTSP"),
        (b"RTSP/x\r\n\r\n", "does not speak RTSP"),
        (b"RTSP/1.0 200 OK\r\nX: " + b"a" * 70_000, "does not speak RTSP"),
    ],
)
def test_what_is_no_camera_is_told_from_a_silent_one(answer: bytes, said: str) -> None:
    with OddServer(answer) as server, pytest.raises(SourceError, match=said):
        check_reachable(address(server.port), 30)


def test_a_camera_that_takes_the_connection_and_says_nothing_is_said_to_hang() -> None:
    with OddServer() as server, pytest.raises(SourceError, match="then says nothing"):
        check_reachable(address(server.port), 0.2)


def test_nobody_there_is_said_with_the_port() -> None:
    port = own_port()
    with pytest.raises(SourceError, match=f"127.0.0.1:{port} refuses connections"):
        check_reachable(address(port), 30)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (socket.gaierror(), "name 127.0.0.1 is not known"),
        (TimeoutError(), "did not answer within 2 s"),
        (OSError(113, "No route to host"), r"cannot be reached \(No route to host\)"),
    ],
)
def test_the_network_is_told_in_words(monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str) -> None:
    def fail(*_: object, **__: object) -> socket.socket:
        raise failure

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(SourceError, match=said):
        check_reachable(address(554), 2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"RTSP/1.0 404 Not Found\r\n\r\n", "does not exist on that camera"),
        (b"RTSP/1.0 503 Busy\r\n\r\n", "RTSP status 503"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nm=audio 0", "offers no video"),
    ],
)
def test_a_stream_that_is_not_there_is_told(answer: bytes, said: str) -> None:
    with OddServer(answer) as server, pytest.raises(SourceError, match=said):
        explain_failure(address(server.port), 30)


def test_a_stream_that_offers_video_has_nothing_to_explain() -> None:
    with OddServer(VIDEO) as server:
        explain_failure(address(server.port), 30)


def test_a_wanted_password_and_a_wrong_one_are_told_apart() -> None:
    refused = challenge(b'Basic realm="cam"')
    with OddServer(refused) as server, pytest.raises(SourceRefused, match="wants a user and a password"):
        explain_failure(address(server.port), 30)
    with OddServer(refused, refused) as server, pytest.raises(SourceRefused, match="refuses this user"):
        explain_failure(address(server.port, "van", "wrong"), 30)


def plain_response(ha1: str, ha2: str, _: dict[str, str]) -> str:
    return md5(f"{ha1}:n0nce:{ha2}")


def qop_response(ha1: str, ha2: str, given: dict[str, str]) -> str:
    return md5(f"{ha1}:n0nce:{given['nc']}:{given['cnonce']}:auth:{ha2}")


@pytest.mark.parametrize(
    ("extra", "expected"), [(b"", plain_response), (b', qop="auth,auth-int"', qop_response)], ids=["plain", "qop"]
)
def test_a_digest_challenge_is_answered_as_the_standard_says(
    extra: bytes, expected: Callable[[str, str, dict[str, str]], str]
) -> None:
    # RFC 2617, section 3.2.2.1, computed here from its text.
    with OddServer(challenge(b'Digest realm="cam", nonce="n0nce"' + extra), VIDEO) as server:
        explain_failure(address(server.port, "van", "s3cret"), 30)
        answer = server.asked[1].decode()
        uri = f"rtsp://127.0.0.1:{server.port}/stream"
    given = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', answer)}
    assert given["response"] == expected(md5("van:cam:s3cret"), md5(f"DESCRIBE:{uri}"), given)
    assert "s3cret" not in answer


def test_the_better_of_two_challenges_is_answered() -> None:
    both = challenge(b'Basic realm="cam"', b'Digest realm="cam", nonce="n0nce"')
    with OddServer(both, VIDEO) as server:
        explain_failure(address(server.port, "van", "s3cret"), 30)
        assert b"Authorization: Digest " in server.asked[1]


def test_a_digest_that_is_not_known_falls_back_to_basic() -> None:
    both = challenge(b'Digest realm="cam", nonce="n0nce", algorithm=SHA-256', b'Basic realm="cam"')
    with OddServer(both, VIDEO) as server:
        explain_failure(address(server.port, "van", "s3cret"), 30)
        token = base64.b64encode(b"van:s3cret")
        assert b"Authorization: Basic " + token in server.asked[1]


def test_a_challenge_that_nobody_knows_is_not_answered() -> None:
    with OddServer(challenge(b"Negotiate")) as server, pytest.raises(SourceRefused):
        explain_failure(address(server.port, "van", "s3cret"), 30)
