"""The console as a whole: what it answers to nobody, to everybody, and at addresses where nothing is."""

from typing import Any

import httpx
import pytest

PRIVATE = (
    "/",
    "/live",
    "/history",
    "/alerts/{id}",
    "/api/stream",
    "/api/session",
    "/api/history",
    "/api/alerts/{id}",
    "/api/alerts/{id}/face.jpg",
    "/api/alerts/{id}/scene.jpg",
    "/api/alerts/{id}/photo.jpg",
    "/api/cameras/north/preview.jpg",
)


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("cookie", ["", "lfr-session=forged", "lfr-session=" + "A" * 43])
def test_nothing_is_served_without_a_session(stage: Any, shown: Any, path: str, cookie: Any) -> None:
    headers = {"cookie": cookie} if cookie else {}
    answer = httpx.get(stage.url + path.format(id=shown.id), headers=headers, timeout=30)
    assert answer.status_code in ({401} if path.startswith("/api/") else {303})
    assert shown.id not in answer.text
    assert not answer.headers.get("content-type", "").startswith("image/")


def test_every_answer_carries_the_strict_headers(stage: Any, anna: Any) -> None:
    for answer in (anna.get("/"), anna.get("/signin"), anna.get("/static/console.css"), anna.get("/nowhere")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert anna.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/api/alerts/nobody",
        "/api/alerts/nobody/face.jpg",
        "/api/alerts/..%2f..%2fetc%2fpasswd/face.jpg",
        "/api/alerts/%00/face.jpg",
        "/static/../app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/config.py",
        "/static//etc/passwd",
        "/api/cameras/..%2f/preview.jpg",
        "/api/cameras/nocam/preview.jpg",
        "/alerts/nobody",
        "/api/nothing",
    ],
)
def test_unknown_things_and_path_tricks_are_not_found(anna: Any, path: str) -> None:
    answer = anna.get(path)
    assert answer.status_code == 404
    assert "Traceback" not in answer.text
    if path.startswith("/api/"):
        assert answer.json()["error"]["message"]
