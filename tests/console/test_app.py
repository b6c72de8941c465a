"""What the console answers: to the signed in, to nobody else, and to bad input."""

import asyncio
import hashlib
import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from console_stage import PASSWORD, _field
from starlette.requests import Request

from appliance.console.audit_queue import AuditQueue
from appliance.console.request_guard import hosts_of
from appliance.console.sessions import FREE_ATTEMPTS
from appliance.console.settings import ConsoleSettings
from appliance.console.signin import SignIn
from appliance.console.users import UserFile


@pytest.fixture(scope="module")
def anna(stage: Any) -> Iterator[Any]:
    with stage.client("anna") as client:
        yield client


@pytest.fixture(scope="module")
def sam(stage: Any) -> Iterator[Any]:
    with stage.client("sam") as client:
        yield client


@pytest.fixture
def alert(stage: Any, anna: Any) -> Any:
    made = stage.publish(quick=True)
    until = time.monotonic() + 5
    while anna.get(f"/alerts/{made.id}").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    return made


def decide(client: Any, alert: Any, kind: Any = "operator", value: Any = "match", **more: Any) -> Any:
    body = {"id": str(uuid.uuid4()), "kind": kind, "value": value, **more}
    return client.post(f"/api/alerts/{alert.id}/decisions", json=body)


def acts_of(stage: Any, code: Any, want: Any, timeout_s: Any = 5) -> Any:
    """The audit record's acts of a code, waiting until there is one like `want`."""
    until = time.monotonic() + timeout_s
    while True:
        found = [record for record in stage.audit() if record.act == code]
        if any(want(record) for record in found) or time.monotonic() > until:
            return [record for record in found if want(record)]
        time.sleep(0.05)


@pytest.fixture(scope="module")
def shown(stage: Any, anna: Any) -> Any:
    """An alert that no test changes."""
    made = stage.publish(quick=True)
    until = time.monotonic() + 5
    while anna.get(f"/alerts/{made.id}").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    return made


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
    answer = httpx.get(stage.url + path.format(id=shown.id), headers=headers)
    assert answer.status_code in ({401} if path.startswith("/api/") else {303})
    assert shown.id not in answer.text
    assert not answer.headers.get("content-type", "").startswith("image/")


@pytest.mark.parametrize("name", ["face", "scene", "photo"])
def test_a_picture_is_no_store_and_its_view_is_in_the_audit_record(
    stage: Any, anna: Any, alert: Any, name: Any
) -> None:
    answer = anna.get(f"/api/alerts/{alert.id}/{name}.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    views = acts_of(stage, "view.alert", lambda record: record.details["alert"] == alert.id)
    assert [record.by for record in views] == ["anna"]


def test_every_answer_carries_the_strict_headers(stage: Any, anna: Any) -> None:
    for answer in (anna.get("/"), anna.get("/signin"), anna.get("/static/console.css"), anna.get("/nowhere")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert anna.get("/").headers["cache-control"] == "no-store"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(stage: Any) -> None:
    with httpx.Client(base_url=stage.url, headers={"origin": stage.url}) as client:
        token = _field(client.get("/signin").text, 'name="token" value="')
        form = {"name": "anna", "password": PASSWORD, "token": token}
        cookies = client.post("/signin", data=form).headers.get_list("set-cookie")
        session = next(cookie for cookie in cookies if cookie.startswith("lfr-session="))
        assert "HttpOnly" in session
        assert "SameSite=strict" in session


def test_a_sign_in_makes_a_new_session_and_ends_the_old_one(stage: Any) -> None:
    with stage.client("anna") as client:
        old = client.cookies["lfr-session"]
        client.cookies.set("lfr-form", "A" * 43)
        secret = httpx.get(f"{stage.url}/signin", cookies={"lfr-form": "A" * 43})
        token = _field(secret.text, 'name="token" value="')
        client.post("/signin", data={"name": "anna", "password": PASSWORD, "token": token})
        assert client.cookies["lfr-session"] != old
        assert httpx.get(f"{stage.url}/api/session", cookies={"lfr-session": old}).status_code == 401


def test_signing_out_ends_the_session_on_the_server(stage: Any) -> None:
    with stage.client("ben") as client:
        kept = client.cookies["lfr-session"]
        csrf = client.headers["x-csrf-token"]
        assert client.post("/signout", data={"csrf": "wrong"}).status_code == 403
        assert client.post("/signout", data={"csrf": csrf}).status_code == 303
        assert httpx.get(f"{stage.url}/api/session", cookies={"lfr-session": kept}).status_code == 401
    assert acts_of(stage, "user.signout", lambda record: record.by == "ben")


def test_a_removed_user_is_out_at_once(stage: Any) -> None:
    stage.users.add("tom", "supervisor", PASSWORD)
    with stage.client("tom") as client:
        assert client.get("/api/session").status_code == 200
        stage.users.remove("tom")
        assert client.get("/api/session").status_code == 401


def test_wrong_passwords_lock_the_name_and_are_recorded(stage: Any) -> None:
    stage.users.add("zed", "viewer", PASSWORD)
    with httpx.Client(base_url=stage.url, headers={"origin": stage.url}) as client:
        answers = []
        for password in ["wrong wrong wrong"] * 5 + [PASSWORD]:
            token = _field(client.get("/signin").text, 'name="token" value="')
            answers.append(client.post("/signin", data={"name": "zed", "password": password, "token": token}))
    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 429, 429]
    assert "Wait 30 seconds" in answers[-1].text
    assert len(acts_of(stage, "user.refused", lambda record: record.by == "zed")) == 5
    assert acts_of(stage, "user.locked", lambda record: record.by == "zed")


def test_a_decision_is_recorded_under_the_name_that_signed_in(stage: Any, anna: Any, alert: Any) -> None:
    answer = decide(anna, alert, value="no_match", reason="Features differ", seconds_taken=3.2)
    assert answer.status_code == 200
    assert answer.json()["by"] == "anna"
    assert answer.json()["role"] == "operator"
    assert acts_of(stage, "decision.operator", lambda record: record.details["alert"] == alert.id)


def test_a_page_cannot_say_who_decided(anna: Any, alert: Any) -> None:
    assert decide(anna, alert, by="ben").status_code == 400


def test_the_same_decision_sent_twice_is_one_decision(anna: Any, alert: Any) -> None:
    body = {"id": str(uuid.uuid4()), "kind": "operator", "value": "match"}
    first = anna.post(f"/api/alerts/{alert.id}/decisions", json=body)
    again = anna.post(f"/api/alerts/{alert.id}/decisions", json={**body, "age_ms": 4000})
    assert first.json()["seq"] == again.json()["seq"]


def test_who_comes_second_is_told_what_stands(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    decide(anna, alert, value="match")
    answer = decide(sam, alert, value="no_match")
    assert answer.status_code == 409
    assert answer.json()["error"]["standing"]["by"] == "anna"
    assert answer.json()["error"]["standing"]["value"] == "match"


def test_undo_is_for_oneself_or_a_supervisor(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    decided = decide(anna, alert).json()
    time.sleep(0.2)
    with stage.client("ben") as ben:
        answer = decide(ben, alert, "undo", "undo", undoes=decided["id"])
        assert answer.status_code == 403
        assert "anna" in answer.json()["error"]["message"]
    assert decide(sam, alert, "undo", "undo", undoes=decided["id"]).status_code == 200
    time.sleep(0.2)
    assert decide(anna, alert, value="cannot_tell").status_code == 200


@pytest.mark.parametrize(("name", "kind", "value"), [("vic", "operator", "match"), ("anna", "engagement", "engage")])
def test_a_role_decides_only_what_is_its_own(stage: Any, alert: Any, name: Any, kind: Any, value: Any) -> None:
    with stage.client(name) as client:
        answer = decide(client, alert, kind, value)
    assert answer.status_code == 403
    assert "role" in answer.json()["error"]["message"]


def test_an_engagement_officer_gets_nothing_before_it_is_passed_on(stage: Any, anna: Any, alert: Any) -> None:
    with stage.client("eve") as eve:
        for path in ("", "/face.jpg", "/photo.jpg"):
            assert eve.get(f"/api/alerts/{alert.id}{path}").status_code == 404
        assert eve.get("/api/history").status_code == 403
        assert eve.get("/api/cameras/north/preview.jpg").status_code == 403
        decide(anna, alert, "passed_on", "passed_on")
        until = time.monotonic() + 5
        while eve.get(f"/api/alerts/{alert.id}/face.jpg").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert decide(eve, alert, "engagement", "engage").status_code == 200


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


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"id": 1}', b'{"id": "' + b"a" * 40 + b'", "kind": "operator", "value": "yes"}', b"\xff\xfe"],
)
def test_a_malformed_decision_gets_a_sentence(anna: Any, shown: Any, content: Any) -> None:
    headers = {"content-type": "application/json"}
    answer = anna.post(f"/api/alerts/{shown.id}/decisions", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


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


def test_evidence_is_one_file_whose_hashes_hold_and_are_recorded(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    decide(anna, alert, value="match", reason="Clear likeness", note="<b>scar</b>")
    time.sleep(0.3)
    assert anna.post(f"/api/alerts/{alert.id}/export").status_code == 403
    answer = sam.post(f"/api/alerts/{alert.id}/export")
    assert answer.status_code == 200
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["x-evidence-sha256"] == digest
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["sha256"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert set(files) == {"scene.jpg", "face.jpg", "photo.jpg", "alert.json", "decisions.json", "index.html"}
    assert manifest["models"]["embedder"] == alert.models.embedder
    assert json.loads(files["decisions.json"])[0]["by"] == "anna"
    assert b"<b>scar" not in files["index.html"]
    assert acts_of(stage, "export.alert", lambda record: record.details["sha256"] == digest)


def test_evidence_says_which_decision_was_taken_back(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    first = decide(anna, alert, value="match").json()
    decide(anna, alert, "undo", "undo", undoes=first["id"])
    decide(anna, alert, value="no_match")
    until = time.monotonic() + 5
    while len(sam.get(f"/api/alerts/{alert.id}").json()["decisions"]) < 3:
        assert time.monotonic() < until
    answer = sam.post(f"/api/alerts/{alert.id}/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        rows = [row for row in archive.read("index.html").decode().split("<tr>") if "by anna" in row]
    assert ["Taken back later" in row for row in rows] == [True, False, False]
    assert f"Takes back: Match by anna at {first['at']}" in rows[1]


def test_guessing_with_many_attempts_at_once_counts_as_guessing_one_after_the_other(tmp_path: Path) -> None:
    users = UserFile(tmp_path / "users.json")
    users.add("slow", "viewer", PASSWORD)
    settings = ConsoleSettings("127.0.0.1:1", "ipc:///nowhere", "ipc:///nowhere", users.path)

    async def unused(act: dict[str, Any]) -> None:
        raise AssertionError(act)

    door = SignIn(settings, users, AuditQueue(unused))
    secret, token = door.form_token(Request({"type": "http", "headers": []}))

    async def guess(i: Any) -> Any:
        form = urlencode({"name": "slow", "password": f"wrong {i} wrong", "token": token, "next": "/"}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": f"lfr-form={secret}"}
        scope = {
            "type": "http",
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": form}

        return (await door.sign_in(Request(scope, receive)))[1]

    async def at_once() -> Any:
        return await asyncio.gather(*(guess(i) for i in range(30)))

    answers = asyncio.run(at_once())
    assert sum("is wrong" in answer for answer in answers) <= FREE_ATTEMPTS + 1
