"""The pages as a browser opens them: what a role is offered, and what a page says when it cannot be shown."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from alerts_material import alert, decision
from argon2 import PasswordHasher

from appliance.console.audit_queue import AuditQueue
from appliance.console.html_pages import HtmlPages
from appliance.console.officer.cases import Cases
from appliance.console.settings import ConsoleSettings
from appliance.console.signin import SignIn
from appliance.console.users import UserFile
from appliance.core.errors import StreamError

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Site:
    """The pages alone, without a stream and without a server."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        from starlette.applications import Starlette

        self.users = UserFile(folder / "users.json", QUICK)
        made = ConsoleSettings("127.0.0.1:1", "ipc:///p", "ipc:///r", self.users.path, "croydon-1", **settings)
        self.cases = Cases()
        self.signing_in = SignIn(made, self.users, AuditQueue(self._unheard))
        self._app = Starlette(routes=HtmlPages(made, self.users, self.signing_in, self.cases).routes())

    @staticmethod
    async def _unheard(act: Any) -> None:
        raise StreamError("The hub does not answer.")

    def get(self, path: str, role: str = "") -> httpx.Response:
        """A page, asked for by nobody or by somebody of a role."""
        cookies = {}
        if role:
            name = f"the-{role}"
            user = self.users.get(name) or self.users.add(name, role, "correct horse battery")
            cookies = {"lfr-session": self.signing_in.sessions.open(user).token}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies) as client:
                return await client.get(path)

        return asyncio.run(ask())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_while_there_is_no_user_the_sign_in_says_how_one_is_added(site: Site) -> None:
    assert "lfr users add" in site.get("/signin").text
    site.users.add("anna", "operator", "correct horse battery")
    assert "lfr users add" not in site.get("/signin").text


@pytest.mark.parametrize(("why", "said"), [("ended", "Your session has ended"), ("used", "has been used"), ("x", "")])
def test_the_sign_in_says_why_one_is_here_again_and_nothing_that_the_address_makes_up(
    site: Site, why: str, said: str
) -> None:
    text = site.get(f"/signin?why={why}").text
    assert said in text
    assert ('role="alert"' in text) == bool(said)


def test_who_is_signed_in_is_not_asked_again(site: Site) -> None:
    answer = site.get("/signin", "viewer")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("path", "to"),
    [("/", "/signin"), ("/history", "/signin?next=/history"), ("/alerts/a-1", "/signin?next=/alerts/a-1")],
)
def test_who_is_not_signed_in_is_sent_there_and_back(site: Site, path: str, to: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, to)


@pytest.mark.parametrize(("role", "views"), [("viewer", 3), ("operator", 3), ("engagement", 1), ("supervisor", 3)])
def test_a_role_is_offered_only_the_views_that_it_has(site: Site, role: str, views: int) -> None:
    text = site.get("/", role).text
    assert text.count("data-view=") == views
    assert f'data-role="{role}"' in text


def test_an_alert_is_opened_by_its_address_only_by_those_who_may_see_it(site: Site) -> None:
    made = alert()
    site.cases.add(made, 1)
    path = f"/alerts/{made.id}"
    assert [site.get(path, role).status_code for role in ("operator", "engagement")] == [200, 404]
    site.cases.add(decision(made.id, "passed_on", "passed_on"), 2)
    assert site.get(path, "engagement").status_code == 200
    assert "has been deleted" in site.get("/alerts/nobody", "supervisor").text


def test_a_file_of_users_that_others_can_read_is_said_and_lets_nobody_in(site: Site) -> None:
    site.users.add("anna", "operator", "correct horse battery")
    site.users.path.chmod(0o644)
    answer = site.get("/signin")
    assert answer.status_code == 503
    assert "can be read by others" in answer.text


def test_what_a_deployment_is_called_is_shown_as_text(tmp_path: Path) -> None:
    text = Site(tmp_path, location='<script>alert("x")</script>').get("/", "viewer").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


def test_the_address_of_a_demonstration_signs_in_once(tmp_path: Path) -> None:
    site = Site(tmp_path, demo_token="once-only-token")
    assert site.get("/?demo=wrong").headers["location"] == "/signin?why=used"
    first = site.get("/?demo=once-only-token")
    assert first.headers["location"] == "/"
    assert "lfr-session=" in first.headers["set-cookie"]
    assert site.get("/?demo=once-only-token").headers["location"] == "/signin?why=used"
