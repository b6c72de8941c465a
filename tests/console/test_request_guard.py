"""What every request passes first: names, origins and sizes that are not the console's own are refused."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.console.request_guard import MAX_BODY_BYTES, RequestDenied, RequestGuard, hosts_of
from appliance.core.errors import SecretError


def test_changes_from_another_site_are_refused(stage: Any, anna: Any, alert: Any) -> None:
    path = f"/api/alerts/{alert.id}/decisions"
    body = {"id": str(uuid.uuid4()), "kind": "operator", "value": "match"}
    token = anna.headers["x-csrf-token"]
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"x-csrf-token": ""},
        {"x-csrf-token": token[:-1] + ("A" if token[-1] != "A" else "B")},
    ):
        assert anna.post(path, json=body, headers=headers).status_code == 403, headers
    assert anna.get(f"/api/alerts/{alert.id}").json()["decisions"] == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_another_host_name_is_refused(stage: Any, anna: Any, host: Any) -> None:
    assert anna.get("/", headers={"host": host}).status_code in {400, 421}


def test_the_hosts_are_loopback_and_where_it_listens() -> None:
    assert hosts_of("10.0.0.5:8443", None) == {"127.0.0.1", "localhost", "[::1]", "10.0.0.5"}
    assert "0.0.0.0" not in hosts_of("0.0.0.0:8443", None)


def test_oversized_bodies_are_refused_with_and_without_a_length(anna: Any, alert: Any) -> None:
    path = f"/api/alerts/{alert.id}/decisions"
    headers = {"content-type": "application/json"}
    assert anna.post(path, content=b"x" * 20_000, headers=headers).status_code == 413

    def pieces() -> Iterator[Any]:
        for _ in range(10):
            yield b"x" * 4000

    assert anna.post(path, content=pieces(), headers=headers).status_code == 413


def test_an_overlong_address_is_refused(anna: Any) -> None:
    assert anna.get("/" + "a" * 3000).status_code == 414


def test_a_listening_address_without_a_name_adds_none() -> None:
    for listen in ("0.0.0.0:8443", "[::]:8443", "*:8443", ":8443"):
        assert hosts_of(listen, None) == {"127.0.0.1", "localhost", "[::1]"}


def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "console.pem").write_text("a letter")
    for path in (tmp_path / "console.pem", tmp_path / "nowhere.pem"):
        with pytest.raises(SecretError, match="is not a certificate"):
            hosts_of("10.0.0.5:8443", path)


def through(scope: dict[str, Any], *, tls: bool = False, body: bytes = b"") -> tuple[int, dict[str, str], bool]:
    """Status and headers of the answer to a request, and whether it reached the application."""
    reached: list[bool] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(True)
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    full = {
        "type": "http",
        "method": "GET",
        "headers": [(b"host", b"van")],
        "raw_path": b"/",
        "query_string": b"",
        **scope,
    }
    asyncio.run(RequestGuard(app, {"van"}, tls=tls)(full, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]} if sent else {}
    return sent[0]["status"] if sent else 0, headers, bool(reached)


def test_what_an_answer_says_of_caching_stays_and_with_tls_the_browser_is_told_to_keep_to_it() -> None:
    status, headers, _ = through({})
    assert (status, headers["cache-control"], headers["x-frame-options"]) == (200, "max-age=9", "DENY")
    assert "strict-transport-security" not in headers
    assert "strict-transport-security" in through({}, tls=True)[1]


@pytest.mark.parametrize("name", [b"van", b"van:8443", b"VAN:1"])
def test_the_port_and_the_case_of_a_host_do_not_matter(name: bytes) -> None:
    assert through({"headers": [(b"host", name)]})[2]


@pytest.mark.parametrize(
    ("origin", "tls", "passed"),
    [
        (b"http://van", False, True),
        (b"https://van", False, False),
        (b"https://van", True, True),
        (b"http://van", True, False),
    ],
)
def test_a_change_comes_from_the_same_scheme_and_host(origin: bytes, tls: bool, passed: bool) -> None:
    headers = [(b"host", b"van"), (b"origin", origin)]
    status, _, reached = through({"method": "POST", "headers": headers}, tls=tls)
    assert (status, reached) == ((200, True) if passed else (403, False))


@pytest.mark.parametrize("length", [b"-1", b"many", b"16385"])
def test_a_length_that_is_none_or_too_long_is_refused_before_anything_is_read(length: bytes) -> None:
    headers = [(b"host", b"van"), (b"origin", b"http://van"), (b"content-length", length)]
    status, answered, reached = through({"method": "POST", "headers": headers})
    assert (status, reached) == (413, False)
    assert answered["content-security-policy"].startswith("default-src 'none'")


def test_a_body_may_be_as_long_as_the_limit_and_no_longer() -> None:
    headers = [(b"host", b"van"), (b"origin", b"http://van")]
    asked = {"method": "POST", "headers": headers}
    assert through(asked, body=b"x" * MAX_BODY_BYTES)[0] == 200
    with pytest.raises(RequestDenied, match="bytes at most"):
        through(asked, body=b"x" * (MAX_BODY_BYTES + 1))


def test_a_web_socket_reaches_nothing() -> None:
    assert through({"type": "websocket"}) == (0, {}, False)


def test_a_refusal_is_told_in_a_form_that_a_page_can_act_on() -> None:
    answer = RequestDenied(409, "conflict", "Somebody was first.", standing={"by": "anna"}).answer()
    assert answer.status_code == 409
    told = json.loads(bytes(answer.body))["error"]
    assert told == {"code": "conflict", "message": "Somebody was first.", "standing": {"by": "anna"}}
