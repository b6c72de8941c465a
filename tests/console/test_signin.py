"""Signing in and out: who gets a session, who has to wait, and what of it a browser keeps."""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from console_stage import PASSWORD, acts_of, field_of
from starlette.requests import Request

from appliance.console.audit_queue import AuditQueue
from appliance.console.sessions import FREE_ATTEMPTS
from appliance.console.settings import ConsoleSettings
from appliance.console.signin import SignIn, SignInRefused, TooManyAttempts
from appliance.console.users import UserFile
from appliance.core.errors import StreamError


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(stage: Any) -> None:
    with httpx.Client(base_url=stage.url, headers={"origin": stage.url}, timeout=30) as client:
        token = field_of(client.get("/signin").text, 'name="token" value="')
        form = {"name": "anna", "password": PASSWORD, "token": token}
        cookies = client.post("/signin", data=form).headers.get_list("set-cookie")
        session = next(cookie for cookie in cookies if cookie.startswith("lfr-session="))
        assert "HttpOnly" in session
        assert "SameSite=strict" in session


def test_a_sign_in_makes_a_new_session_and_ends_the_old_one(stage: Any) -> None:
    with stage.client("anna") as client:
        old = client.cookies["lfr-session"]
        client.cookies.set("lfr-form", "A" * 43)
        secret = httpx.get(f"{stage.url}/signin", cookies={"lfr-form": "A" * 43}, timeout=30)
        token = field_of(secret.text, 'name="token" value="')
        client.post("/signin", data={"name": "anna", "password": PASSWORD, "token": token})
        assert client.cookies["lfr-session"] != old
        assert httpx.get(f"{stage.url}/api/session", cookies={"lfr-session": old}, timeout=30).status_code == 401


def test_signing_out_ends_the_session_on_the_server(stage: Any) -> None:
    with stage.client("ben") as client:
        kept = client.cookies["lfr-session"]
        csrf = client.headers["x-csrf-token"]
        assert client.post("/signout", data={"csrf": "wrong"}).status_code == 403
        assert client.post("/signout", data={"csrf": csrf}).status_code == 303
        assert httpx.get(f"{stage.url}/api/session", cookies={"lfr-session": kept}, timeout=30).status_code == 401
    assert acts_of(stage, "user.signout", lambda record: record.by == "ben")


def test_a_removed_user_is_out_at_once(stage: Any) -> None:
    stage.users.add("tom", "supervisor", PASSWORD)
    with stage.client("tom") as client:
        assert client.get("/api/session").status_code == 200
        stage.users.remove("tom")
        assert client.get("/api/session").status_code == 401


def test_wrong_passwords_lock_the_name_and_are_recorded(stage: Any) -> None:
    stage.users.add("zed", "viewer", PASSWORD)
    with httpx.Client(base_url=stage.url, headers={"origin": stage.url}, timeout=30) as client:
        answers = []
        for password in ["wrong wrong wrong"] * 5 + [PASSWORD]:
            token = field_of(client.get("/signin").text, 'name="token" value="')
            answers.append(client.post("/signin", data={"name": "zed", "password": password, "token": token}))
    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 429, 429]
    assert "wait 30 seconds" in answers[-2].text
    assert re.search(r"Wait \d+ seconds", answers[-1].text)
    assert acts_of(stage, "user.locked", lambda record: record.by == "zed")  # after all the others
    assert len(acts_of(stage, "user.refused", lambda record: record.by == "zed")) == 5


async def nowhere(act: Any) -> None:
    raise StreamError("The hub does not answer.")


def test_guessing_with_many_attempts_at_once_counts_as_guessing_one_after_the_other(tmp_path: Path) -> None:
    users = UserFile(tmp_path / "users.json")
    users.add("slow", "viewer", PASSWORD)
    settings = ConsoleSettings("127.0.0.1:1", "ipc:///nowhere", "ipc:///nowhere", users.path)
    door = SignIn(settings, users, AuditQueue(nowhere))
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

        with pytest.raises(SignInRefused) as told:
            await door.sign_in(Request(scope, receive))
        return told.value

    async def at_once() -> Any:
        return await asyncio.gather(*(guess(i) for i in range(30)))

    answers = asyncio.run(at_once())
    assert sum("is wrong" in str(answer) for answer in answers) <= FREE_ATTEMPTS + 1
    assert sum(isinstance(answer, TooManyAttempts) for answer in answers) >= 30 - FREE_ATTEMPTS
