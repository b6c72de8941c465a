"""The console's web application: which address answers what, and to whom."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import structlog
from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from appliance import __version__
from appliance.alerts.messages import DECISION_VALUES, Decision, DecisionKind
from appliance.console.audit_queue import AuditQueue, AuditQueueFull
from appliance.console.officer import evidence
from appliance.console.officer.cases import Case, Cases
from appliance.console.officer.feed import Feed
from appliance.console.officer.open_pages import OpenPages
from appliance.console.officer.pictures import NAMES, Pictures
from appliance.console.request_guard import Guard, RequestDenied, hosts_of
from appliance.console.sessions import Session
from appliance.console.settings import ConsoleSettings
from appliance.console.signin import SignIn, act, signin_address
from appliance.console.users import PERMISSIONS, Permission, UserFile
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, LfrError, RequestRefused, SecretError, StreamError, UnknownAlert

__all__ = ["ConsoleApp", "ConsoleSettings", "create_app"]

STATIC = Path(__file__).parent / "static"
MAX_VIEWED = 5_000
TIDY_EVERY_S = 10.0
_ALERT_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_WHY = {
    "ended": "Your session has ended. Sign in again.",
    "used": "This address signs one browser in, once, and it has been used.",
}
_CAMERA = re.compile(r"^[a-z0-9][a-z0-9_-]{0,31}$")

log = structlog.get_logger(__name__)


class DecisionRequest(BaseModel):
    """What the page sends for a decision. Who decided, in which role, and when is not for the page to say."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    id: str = Field(pattern=r"^[A-Za-z0-9-]{16,64}$", description="chosen by the page, the same for every retry")
    kind: DecisionKind
    value: str = Field(max_length=32)
    reason: str = Field("", max_length=64)
    note: str = Field("", max_length=1000)
    seconds_taken: float | None = Field(None, ge=0, le=86_400)
    age_ms: float = Field(
        0, ge=0, le=3_600_000, description="how long ago the person decided (a retry after a dropout)"
    )
    undoes: str | None = Field(None, max_length=64)


class Assets(StaticFiles):
    """Files of the page: always asked for again, answered with 304 while they are the same."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As the base class, with the caching said."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response


class ConsoleApp:
    """Everything behind the addresses.

    Parameters
    ----------
    settings
        Of this console.
    feed
        What connects to the alert stream; None for the real one (fakes are for tests).
    """

    def __init__(self, settings: ConsoleSettings, feed: Feed | None = None) -> None:
        self.settings = settings
        self.users = UserFile(settings.users_file)
        self.pages = OpenPages(Cases(settings.keep_hours))
        self.feed = feed or Feed(settings.publish, settings.replay)
        self.audit_queue = AuditQueue(self.feed.record)
        self.pictures = Pictures(self.feed.fetch)
        self.signing_in = SignIn(settings, self.users, self.audit_queue)
        self.pages.waiting_acts = lambda: self.audit_queue.waiting
        self._templates = Environment(loader=PackageLoader("appliance.console"), autoescape=select_autoescape())

    def asgi(self) -> Starlette:
        """The application for a server."""
        page, api = self._page, self._api
        routes = [
            Route("/signin", self._signin, methods=["GET", "POST"]),
            Route("/signout", self._signout, methods=["POST"]),
            Route("/", page),
            Route("/live", page),
            Route("/history", page),
            Route("/alerts/{alert_id}", page),
            Route("/api/stream", api(self._stream)),
            Route("/api/history", api(self._history)),
            Route("/api/session", api(self._active)),
            Route("/api/active", api(self._active), methods=["POST"]),
            Route("/api/alerts/{alert_id}", api(self._case)),
            Route("/api/alerts/{alert_id}/decisions", api(self._decide), methods=["POST"]),
            Route("/api/alerts/{alert_id}/export", api(self._export), methods=["POST"]),
            Route("/api/alerts/{alert_id}/{picture}.jpg", api(self._picture)),
            Route("/api/cameras/{camera}/preview.jpg", api(self._preview)),
            Route("/favicon.ico", lambda _: RedirectResponse("/static/icon.svg", status_code=301)),
            Mount("/static", Assets(directory=STATIC)),
        ]
        hosts = hosts_of(self.settings.listen, self.settings.tls_cert)
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, hosts=hosts, tls=self.settings.tls)],
            exception_handlers={
                HTTPException: self._http_error,
                RequestDenied: self._refused,
                Exception: self._crashed,
            },
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self.feed.run(self.pages)),
            asyncio.create_task(self.audit_queue.run()),
            asyncio.create_task(self._tidy()),
        ]
        try:
            yield
        finally:
            self.pages.close()
            await self.audit_queue.drain(1.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.feed.close()
            self.pictures.clear()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            self.pictures.expire()
            gone = self.pages.cases.expire(utc_now())
            if self.pages.status is not None and self.pages.status.phase == "purged":
                gone += [case.alert.id for case in self.pages.cases.all()]
                self.pages.cases.clear(self.pages.cases.epoch)
            for alert_id in gone:
                self.pictures.forget(alert_id)
            if gone:
                self.pages.forget(gone)

    # pages

    async def _page(self, request: Request) -> Response:
        if request.url.path == "/" and "demo" in request.query_params:
            return self.signing_in.demo(request) or RedirectResponse("/signin?why=used", status_code=303)
        try:
            session = self.signing_in.session(request)
        except SecretError as error:
            return self._error_page(503, str(error))
        if session is None:
            return RedirectResponse(signin_address(request), status_code=303)
        alert_id = request.path_params.get("alert_id")
        if alert_id is not None:
            case = self.pages.cases.get(alert_id) if _ALERT_ID.match(alert_id) else None
            if case is None or not case.visible_to(session.user):
                return self._error_page(404, "There is no such alert here, or it has been deleted since.")
        self.signing_in.sessions.touch(session)
        return HTMLResponse(
            self._templates.get_template("page.html").render(
                user=session.user,
                csrf=session.csrf,
                permissions=" ".join(sorted(PERMISSIONS[session.user.role])),
                deployment=self.settings.deployment,
                location=self.settings.location,
                demo=session.user.password == "",
            )
        )

    async def _signin(self, request: Request) -> Response:
        message = _WHY.get(request.query_params.get("why", ""), "")
        status = 200
        try:
            if request.method == "POST":
                answer, message = await self.signing_in.sign_in(request)
                if answer is not None:
                    return answer
                status = 429 if "Too many" in message else 403
            elif self.signing_in.session(request) is not None:
                return RedirectResponse("/", status_code=303)
            demo = self.settings.demo_token is not None
            nobody = not demo and not self.users.all()
        except SecretError as error:
            return self._error_page(503, str(error))
        secret, token = self.signing_in.form_token(request)
        response = HTMLResponse(
            self._templates.get_template("signin.html").render(
                token=token,
                message=message,
                nobody=nobody,
                demo=demo,
                next=request.query_params.get("next", "/"),
                deployment=self.settings.deployment,
                location=self.settings.location,
            ),
            status_code=status,
        )
        self.signing_in.keep_form_secret(response, secret)
        return response

    async def _signout(self, request: Request) -> Response:
        session = self.signing_in.session(request)
        if session is None:
            return RedirectResponse("/signin", status_code=303)
        self.signing_in.check_token(request, session, (await self.signing_in.fields(request)).get("csrf", ""))
        return self.signing_in.sign_out(session)

    # the page's own requests

    def _api(
        self, answer: Callable[[Request, Session], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def handler(request: Request) -> Response:
            try:
                session = self.signing_in.session(request)
                if session is None:
                    raise RequestDenied(401, "signed_out", "You are not signed in.")
                if request.method == "POST":
                    self.signing_in.check_token(request, session)
                    self.signing_in.sessions.touch(session)
                return await answer(request, session)
            except UnknownAlert:
                raise RequestDenied(
                    404, "unknown_alert", "There is no such alert here, or it has been deleted since."
                ) from None
            except DecisionConflict as error:
                standing = error.standing.model_dump(mode="json") if error.standing else None
                raise RequestDenied(409, "conflict", str(error), standing=standing) from None
            except RequestRefused as error:
                raise RequestDenied(400, "bad_request", str(error)) from None
            except StreamError as error:
                log.warning("the hub did not answer", path=request.url.path, error=str(error))
                raise RequestDenied(503, "unavailable", "The appliance does not answer just now.") from None
            except SecretError as error:
                raise RequestDenied(503, "users", str(error)) from None
            except AuditQueueFull as error:
                raise RequestDenied(503, "audit", error.problem) from None

        return handler

    def _visible(self, request: Request, session: Session) -> Case:
        alert_id = request.path_params["alert_id"]
        case = self.pages.cases.get(alert_id) if _ALERT_ID.match(alert_id) else None
        if case is None or not case.visible_to(session.user):
            raise UnknownAlert("no such alert")
        return case

    @staticmethod
    def _need(session: Session, permission: Permission, what: str) -> None:
        if not session.user.may(permission):
            raise RequestDenied(403, "role", f"Your role, {session.user.role}, does not allow you to {what}.")

    async def _stream(self, request: Request, session: Session) -> Response:
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")

        def seconds_left() -> float:
            return self.signing_in.sessions.seconds_left(session) if self.signing_in.valid(session) else 0.0

        chunks = self.pages.stream(
            session.user,
            after,
            previews=request.query_params.get("previews") == "1",
            seconds_left=seconds_left,
            session=session.token,
            can_last=lambda: self.signing_in.sessions.can_last(session),
        )
        return StreamingResponse(chunks, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _active(self, _: Request, session: Session) -> Response:
        return JSONResponse({"session_s": round(self.signing_in.sessions.seconds_left(session))})

    async def _history(self, request: Request, session: Session) -> Response:
        self._need(session, "history", "see the history")
        query = request.query_params
        before = query.get("before", "0")
        if not before.isascii() or not before.isdigit() or len(before) > 15:
            raise RequestDenied(400, "bad_request", "before must be a sequence number.")
        camera, category, state = (query.get(name, "")[:64] for name in ("camera", "category", "state"))
        found = self.pages.cases.search(session.user, camera=camera, category=category, state=state, before=int(before))
        return JSONResponse(found)

    async def _case(self, request: Request, session: Session) -> Response:
        case = self._visible(request, session)
        self._viewed(session, case.alert.id)
        return JSONResponse(case.as_json())

    async def _picture(self, request: Request, session: Session) -> Response:
        name = request.path_params["picture"]
        if name not in NAMES:
            raise RequestDenied(404, "unknown_picture", f"An alert has the pictures {', '.join(NAMES)}.")
        case = self._visible(request, session)
        picture = await self.pictures.get(case.alert.id, name)
        self._viewed(session, case.alert.id)
        return Response(picture, media_type="image/jpeg")

    def _viewed(self, session: Session, alert_id: str) -> None:
        """Each session's first look at an alert is recorded, before anything is shown."""
        if alert_id in session.viewed:
            return
        self.audit_queue.must(act("view.alert", session.user.name, alert=alert_id, session=session.short))
        session.viewed[alert_id] = None
        while len(session.viewed) > MAX_VIEWED:
            session.viewed.popitem(last=False)

    async def _preview(self, request: Request, session: Session) -> Response:
        self._need(session, "live", "see the live view")
        camera = request.path_params["camera"]
        picture = self.pages.preview(camera) if _CAMERA.match(camera) else None
        if picture is None:
            raise RequestDenied(404, "no_preview", "This camera has sent no picture yet.")
        return Response(picture, media_type="image/jpeg")

    async def _decide(self, request: Request, session: Session) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise RequestDenied(415, "bad_request", "A decision is sent as JSON.")
        try:
            asked = DecisionRequest.model_validate_json(await request.body())
        except ValidationError as error:
            fields = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]})) or "the body"
            raise RequestDenied(400, "bad_request", f"The decision is not well formed: {fields}.") from None
        case = self._visible(request, session)
        if asked.value not in DECISION_VALUES[asked.kind]:
            raise RequestDenied(400, "bad_request", f"{asked.kind} is one of {', '.join(DECISION_VALUES[asked.kind])}.")
        if asked.kind == "undo":
            self._may_undo(session, case, asked.undoes)
        else:
            self._need(session, asked.kind, f"decide that ({asked.kind.replace('_', ' ')})")
        decision = Decision(
            id=asked.id,
            alert_id=case.alert.id,
            kind=asked.kind,
            value=asked.value,
            by=session.user.name,
            role=session.user.role,
            at=utc_now() - timedelta(milliseconds=asked.age_ms),
            reason=asked.reason,
            note=asked.note,
            seconds_taken=asked.seconds_taken,
            undoes=asked.undoes if asked.kind == "undo" else None,
        )
        decided = await self.feed.decide(decision)
        return JSONResponse(decided.model_dump(mode="json"))

    def _may_undo(self, session: Session, case: Case, undoes: str | None) -> None:
        decision = next((one for one in case.decisions if one.id == undoes), None)
        if decision is None or decision.kind == "undo":
            raise RequestDenied(400, "bad_request", "There is no such decision to take back.")
        if session.user.may("undo_any"):
            return
        self._need(session, decision.kind, "take that back")
        if decision.by != session.user.name:
            raise RequestDenied(403, "role", f"Only {decision.by} or a supervisor can take that back.")

    async def _export(self, request: Request, session: Session) -> Response:
        self._need(session, "export", "export evidence")
        case = self._visible(request, session)
        pictures = await self.pictures.all(case.alert.id)
        content, digest = await asyncio.to_thread(
            evidence.build, case, pictures, session.user.name, utc_now(), __version__
        )
        self.audit_queue.must(
            act("export.alert", session.user.name, alert=case.alert.id, sha256=digest, bytes=len(content))
        )
        name = f"alert-{case.alert.id}.zip"
        headers = {"content-disposition": f'attachment; filename="{name}"', "x-evidence-sha256": digest}
        return Response(content, media_type="application/zip", headers=headers)

    # errors

    def _error_page(self, status: int, message: str) -> Response:
        body = self._templates.get_template("error.html").render(status=status, message=message)
        return HTMLResponse(body, status_code=status)

    async def _http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        message = {404: "There is nothing at this address.", 405: "That cannot be done here."}.get(
            status, "RequestDenied."
        )
        if request.url.path.startswith("/api/"):
            return RequestDenied(status, "not_found" if status == 404 else "refused", message).answer()
        return self._error_page(status, message)

    async def _refused(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestDenied):
            raise error
        if request.url.path.startswith("/api/"):
            return error.answer()
        return self._error_page(error.status, error.message)

    async def _crashed(self, request: Request, error: Exception) -> Response:
        log.error("a request failed", path=request.url.path, error=type(error).__name__)
        message = str(error) if isinstance(error, LfrError) else "The console failed to answer. It is in its log."
        if request.url.path.startswith("/api/"):
            return RequestDenied(500, "failed", message).answer()
        return self._error_page(500, message)


def create_app(settings: ConsoleSettings, feed: Feed | None = None) -> Starlette:
    """The web application of a console.

    Raises
    ------
    SecretError
        When the certificate or users file is not what it should be.
    """
    return ConsoleApp(settings, feed).asgi()
