"""The console's web application: its parts, which of them answers what, and how errors are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from appliance.console.audit_queue import AuditQueue
from appliance.console.html_pages import HtmlPages
from appliance.console.officer.api import AlertRequests
from appliance.console.officer.cases import Cases
from appliance.console.officer.feed import Feed
from appliance.console.officer.open_pages import OpenPages
from appliance.console.officer.pictures import Pictures
from appliance.console.request_guard import RequestDenied, RequestGuard, hosts_of
from appliance.console.settings import ConsoleSettings
from appliance.console.signin import SignIn
from appliance.console.users import UserFile
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError

STATIC = Path(__file__).parent / "static"
TIDY_EVERY_S = 10.0

log = structlog.get_logger(__name__)


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

    Raises
    ------
    SecretError
        From `asgi`, when the certificate is not what it should be.
    """

    def __init__(self, settings: ConsoleSettings, feed: Feed | None = None) -> None:
        self.settings = settings
        self.feed = feed or Feed(settings.publish, settings.replay)
        self.pages = OpenPages(Cases(settings.keep_hours))
        self.pictures = Pictures(self.feed.fetch)
        self.audit_queue = AuditQueue(self.feed.record)
        self.pages.waiting_acts = lambda: self.audit_queue.waiting
        users = UserFile(settings.users_file)
        signing_in = SignIn(settings, users, self.audit_queue)
        self._html = HtmlPages(settings, users, signing_in, self.pages.cases)
        self._requests = AlertRequests(signing_in, self.feed, self.pages, self.pictures, self.audit_queue)

    def asgi(self) -> Starlette:
        """The application for a server."""
        routes = [
            *self._html.routes(),
            *self._requests.routes(),
            Route("/favicon.ico", lambda _: RedirectResponse("/static/icon.svg", status_code=301)),
            Mount("/static", Assets(directory=STATIC)),
        ]
        hosts = hosts_of(self.settings.listen, self.settings.tls_cert)
        return Starlette(
            routes=routes,
            middleware=[Middleware(RequestGuard, hosts=hosts, tls=self.settings.tls)],
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
            asyncio.create_task(self.feed.run(self.pages, self.pictures)),
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

    async def _http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        sentences = {404: "There is nothing at this address.", 405: "That cannot be done here."}
        message = sentences.get(status, "That was refused.")
        if request.url.path.startswith("/api/"):
            return RequestDenied(status, "not_found" if status == 404 else "refused", message).answer()
        return self._html.error(status, message)

    async def _refused(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestDenied):
            raise error
        if request.url.path.startswith("/api/"):
            return error.answer()
        return self._html.error(error.status, error.message)

    async def _crashed(self, request: Request, error: Exception) -> Response:
        log.error("a request failed", path=request.url.path, error=type(error).__name__)
        message = str(error) if isinstance(error, LfrError) else "The console failed to answer. It is in its log."
        if request.url.path.startswith("/api/"):
            return RequestDenied(500, "failed", message).answer()
        return self._html.error(500, message)
