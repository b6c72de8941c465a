"""Signing in and out: the form, its one-time secrets, the lock-out, the session cookie."""

from __future__ import annotations

import asyncio
import hmac
import math
import re
import secrets
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from appliance.console.audit_queue import AuditQueue, new_act
from appliance.console.request_guard import RequestDenied
from appliance.console.sessions import LockOut, Session, Sessions
from appliance.console.settings import ConsoleSettings
from appliance.console.users import User, UserFile
from appliance.core.errors import LfrError

_NEXT = re.compile(r"^/(live|history|alerts/[A-Za-z0-9._-]{1,64})?$")
DEMO_USER = User("demo", "supervisor", "")


class SignInRefused(LfrError):
    """Nobody is let in; the sentence may be shown.

    Attributes
    ----------
    status
        Of the HTTP answer.
    """

    status = 403


class TooManyAttempts(SignInRefused):
    """This user or address has to wait before the next attempt counts."""

    status = 429


class SignIn:
    """Lets people in and out.

    Parameters
    ----------
    settings
        Of this console.
    users
        Who may sign in.
    audit_queue
        Where every attempt is recorded.
    """

    def __init__(self, settings: ConsoleSettings, users: UserFile, audit_queue: AuditQueue) -> None:
        self._users = users
        self._audit_queue = audit_queue
        self._tls = settings.tls
        self._demo_token = settings.demo_token
        self._secret = secrets.token_bytes(32)
        self._hashing = asyncio.Semaphore(2)
        self.sessions = Sessions(settings.session_hours, settings.idle_minutes)
        self.lock_out = LockOut()
        prefix = "__Host-" if settings.tls else ""
        self._session_cookie = f"{prefix}lfr-session"
        self._form_cookie = f"{prefix}lfr-form"

    # who is asking

    def session(self, request: Request) -> Session | None:
        """The session of this request, if it has one that lasts and its user is still the same."""
        session = self.sessions.get(request.cookies.get(self._session_cookie, ""))
        if session is None or self.valid(session):
            return session
        return None

    def valid(self, session: Session) -> bool:
        """Whether it lasts, and its user was neither removed nor changed; ends it if not."""
        if not self.sessions.alive(session):
            return False
        if session.user is not DEMO_USER and self._users.get(session.user.name) != session.user:
            self.sessions.close(session)
            return False
        return True

    def check_token(self, request: Request, session: Session, given: str | None = None) -> None:
        """Refuse a change without the page's own token."""
        token = given if given is not None else request.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(token.encode(), session.csrf.encode()):
            raise RequestDenied(403, "bad_token", "This page is out of date. Reload it and try again.")

    # the form

    def form_token(self, request: Request) -> tuple[str, str]:
        """The browser's form secret (from its cookie, or a new one), and the token that goes into the form."""
        secret = request.cookies.get(self._form_cookie, "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}", secret):
            secret = secrets.token_urlsafe(32)
        return secret, self._token_of(secret)

    def keep_form_secret(self, response: Response, secret: str) -> None:
        """Set the cookie that belongs to a form."""
        response.set_cookie(
            self._form_cookie, secret, max_age=3600, path="/", secure=self._tls, httponly=True, samesite="strict"
        )

    def _token_of(self, secret: str) -> str:
        return hmac.new(self._secret, secret.encode(), "sha256").hexdigest()

    @staticmethod
    async def fields(request: Request) -> dict[str, str]:
        """The fields of a posted form; repeated ones and other encodings are refused."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded":
            raise RequestDenied(415, "bad_request", "This form was not sent as a form.")
        try:
            parsed = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=8)
        except ValueError:
            raise RequestDenied(400, "bad_request", "The form could not be read.") from None
        if any(len(values) != 1 for values in parsed.values()):
            raise RequestDenied(400, "bad_request", "The form could not be read.")
        return {name: values[0] for name, values in parsed.items()}

    # in and out

    async def sign_in(self, request: Request) -> Response:
        """Answer a posted sign-in: a redirect with the cookie.

        Raises
        ------
        SignInRefused
            The form had expired, or name or password is wrong.
        TooManyAttempts
            The same, too often.
        """
        fields = await self.fields(request)
        secret = request.cookies.get(self._form_cookie, "")
        if not secret or not hmac.compare_digest(fields.get("token", "").encode(), self._token_of(secret).encode()):
            raise SignInRefused("The sign-in page had expired. Try again.")
        name, password = fields.get("name", "")[:64], fields.get("password", "")
        address = request.client.host if request.client else ""
        async with self._hashing:
            wait = self.lock_out.wait_s(name, address)  # asked here: a hundred at once wait for their turn, then see it
            if wait > 0:
                raise TooManyAttempts(f"Too many attempts. Wait {_duration(wait)}, then try again.")
            user = await asyncio.to_thread(self._users.check, name, password)
            wait = 0.0 if user is not None else self.lock_out.failed(name, address)
        if user is None:
            shown = name.strip().lower()
            self._audit_queue.add(new_act("user.refused", shown, address=address))
            if wait:
                self._audit_queue.add(new_act("user.locked", shown, address=address, seconds=round(wait)))
                raise TooManyAttempts(f"Name or password is wrong. Too many attempts: wait {_duration(wait)}.")
            raise SignInRefused("Name or password is wrong.")
        self.lock_out.succeeded(name)
        old = self.session(request)
        if old is not None:
            self.sessions.close(old)
        wanted = fields.get("next", "/")
        return self._admit(user, wanted if _NEXT.match(wanted) else "/", address)

    def demo(self, request: Request) -> Response | None:
        """Sign the demonstration's browser in; its token works once."""
        token = request.query_params.get("demo", "")
        if not self._demo_token or not hmac.compare_digest(token.encode(), self._demo_token.encode()):
            return None
        self._demo_token = None
        return self._admit(DEMO_USER, "/", request.client.host if request.client else "")

    def _admit(self, user: User, where: str, address: str) -> Response:
        session = self.sessions.open(user)
        self._audit_queue.add(new_act("user.signin", user.name, role=user.role, session=session.short, address=address))
        response = RedirectResponse(where, status_code=303)
        response.set_cookie(
            self._session_cookie, session.token, path="/", secure=self._tls, httponly=True, samesite="strict"
        )
        response.delete_cookie(self._form_cookie, path="/", secure=self._tls, httponly=True, samesite="strict")
        return response

    def sign_out(self, session: Session) -> Response:
        """End the session and forget its cookie."""
        self._audit_queue.add(new_act("user.signout", session.user.name, session=session.short))
        self.sessions.close(session)
        response = RedirectResponse("/signin", status_code=303)
        response.delete_cookie(self._session_cookie, path="/", secure=self._tls, httponly=True, samesite="strict")
        response.headers["clear-site-data"] = '"cache"'
        return response


def signin_address(request: Request) -> str:
    """Where somebody without a session is sent, with the way back."""
    path = request.url.path
    return f"/signin?next={quote(path)}" if path != "/" and _NEXT.match(path) else "/signin"


def _duration(seconds: float) -> str:
    if seconds < 90:
        count = math.ceil(seconds)
        return f"{count} second{'' if count == 1 else 's'}"
    return f"{math.ceil(seconds / 60)} minutes"
