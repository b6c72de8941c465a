"""What the page of alerts asks for: the stream, alerts and their pictures, decisions, evidence, the live view."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from appliance import __version__
from appliance.alerts.messages import DECISION_VALUES, Decision, DecisionKind
from appliance.console.audit_queue import AuditQueue, AuditQueueFull, new_act
from appliance.console.officer import evidence
from appliance.console.officer.cases import Case
from appliance.console.officer.feed import Feed
from appliance.console.officer.open_pages import OpenPages
from appliance.console.officer.pictures import NAMES, Pictures
from appliance.console.request_guard import RequestDenied
from appliance.console.sessions import Session
from appliance.console.signin import SignIn
from appliance.console.users import Permission
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, RequestRefused, SecretError, StreamError, UnknownAlert

MAX_VIEWED = 5_000

log = structlog.get_logger(__name__)

Answer = Callable[[Request, Session], Awaitable[Response]]


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


class AlertRequests:
    """Answers the page's own requests, for those who are signed in.

    Parameters
    ----------
    signing_in
        Knows who asks.
    feed
        The way to the hub.
    pages, pictures
        What this console knows of the alerts.
    audit_queue
        Where every view and export is recorded.
    """

    def __init__(
        self, signing_in: SignIn, feed: Feed, pages: OpenPages, pictures: Pictures, audit_queue: AuditQueue
    ) -> None:
        self._signing_in = signing_in
        self._feed = feed
        self._pages = pages
        self._pictures = pictures
        self._audit_queue = audit_queue

    def routes(self) -> list[Route]:
        """The addresses below `/api/`."""
        api = self._for_the_signed_in
        return [
            Route("/api/stream", api(self._stream)),
            Route("/api/history", api(self._history)),
            Route("/api/session", api(self._active)),
            Route("/api/active", api(self._active), methods=["POST"]),
            Route("/api/alerts/{alert_id}", api(self._case)),
            Route("/api/alerts/{alert_id}/decisions", api(self._decide), methods=["POST"]),
            Route("/api/alerts/{alert_id}/export", api(self._export), methods=["POST"]),
            Route("/api/alerts/{alert_id}/{picture}.jpg", api(self._picture)),
            Route("/api/cameras/{camera}/preview.jpg", api(self._preview)),
        ]

    def _for_the_signed_in(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """With the session checked before, and what goes wrong told in a form that the page can act on."""

        async def handler(request: Request) -> Response:
            try:
                session = self._signing_in.session(request)
                if session is None:
                    raise RequestDenied(401, "signed_out", "You are not signed in.")
                if request.method == "POST":
                    self._signing_in.check_token(request, session)
                    self._signing_in.sessions.touch(session)
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
            except AuditQueueFull:
                raise RequestDenied(
                    503, "audit", "Nothing more can be shown: the audit record has been out of reach for too long."
                ) from None

        return handler

    def _visible(self, request: Request, session: Session) -> Case:
        case = self._pages.cases.visible(request.path_params["alert_id"], session.user)
        if case is None:
            raise UnknownAlert("no such alert")
        return case

    @staticmethod
    def _need(session: Session, permission: Permission, what: str) -> None:
        if not session.user.may(permission):
            raise RequestDenied(403, "role", f"Your role, {session.user.role}, does not allow you to {what}.")

    async def _stream(self, request: Request, session: Session) -> Response:
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")

        def seconds_left() -> float:
            return self._signing_in.sessions.seconds_left(session) if self._signing_in.valid(session) else 0.0

        chunks = self._pages.stream(
            session.user,
            after,
            previews=request.query_params.get("previews") == "1",
            seconds_left=seconds_left,
            session=session.token,
            can_last=lambda: self._signing_in.sessions.can_last(session),
        )
        return StreamingResponse(chunks, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _active(self, _: Request, session: Session) -> Response:
        return JSONResponse({"session_s": round(self._signing_in.sessions.seconds_left(session))})

    async def _history(self, request: Request, session: Session) -> Response:
        self._need(session, "history", "see the history")
        query = request.query_params
        before = query.get("before", "0")
        if not before.isascii() or not before.isdigit() or len(before) > 15:
            raise RequestDenied(400, "bad_request", "before must be a sequence number.")
        camera, category, state = (query.get(name, "")[:64] for name in ("camera", "category", "state"))
        found = self._pages.cases.search(
            session.user, camera=camera, category=category, state=state, before=int(before)
        )
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
        picture = await self._pictures.get(case.alert.id, name)
        self._viewed(session, case.alert.id)
        return Response(picture, media_type="image/jpeg")

    def _viewed(self, session: Session, alert_id: str) -> None:
        """Each session's first look at an alert is recorded, before anything is shown."""
        if alert_id in session.viewed:
            return
        self._audit_queue.add_or_refuse(new_act("view.alert", session.user.name, alert=alert_id, session=session.short))
        session.viewed[alert_id] = None
        while len(session.viewed) > MAX_VIEWED:
            session.viewed.popitem(last=False)

    async def _preview(self, request: Request, session: Session) -> Response:
        self._need(session, "live", "see the live view")
        picture = self._pages.preview(request.path_params["camera"])
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
        decided = await self._feed.decide(decision)
        # The stream may tell of it a moment later: the page is shown now what the alert has come to.
        shown = case.with_decision(decided).as_json()
        return JSONResponse({"decision": decided.model_dump(mode="json"), "case": shown})

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
        pictures = await self._pictures.all(case.alert.id)
        content, digest = await asyncio.to_thread(
            evidence.build, case, pictures, session.user.name, utc_now(), __version__
        )
        self._audit_queue.add_or_refuse(
            new_act("export.alert", session.user.name, alert=case.alert.id, sha256=digest, bytes=len(content))
        )
        name = f"alert-{case.alert.id}.zip"
        headers = {"content-disposition": f'attachment; filename="{name}"', "x-evidence-sha256": digest}
        return Response(content, media_type="application/zip", headers=headers)
