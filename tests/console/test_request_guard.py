"""What every request passes first: names, origins and sizes that are not the console's own are refused."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.console.request_guard import hosts_of


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
