"""The console's pages as a browser opens them: signing in and out, and the one page that shows everything else."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from appliance.console.officer.cases import Cases
from appliance.console.settings import ConsoleSettings
from appliance.console.signin import SignIn, SignInRefused, signin_address
from appliance.console.users import PERMISSIONS, UserFile
from appliance.core.errors import SecretError

_WHY = {
    "ended": "Your session has ended. Sign in again.",
    "used": "This address signs one browser in, once, and it has been used.",
}


class HtmlPages:
    """Answers with pages.

    Parameters
    ----------
    settings
        Of this console.
    users
        Whether there is anybody who could sign in.
    signing_in
        Lets people in and out.
    cases
        The alerts that a page can be opened at.
    """

    def __init__(self, settings: ConsoleSettings, users: UserFile, signing_in: SignIn, cases: Cases) -> None:
        self._settings = settings
        self._users = users
        self._signing_in = signing_in
        self._cases = cases
        self._templates = Environment(loader=PackageLoader("appliance.console"), autoescape=select_autoescape())

    def routes(self) -> list[Route]:
        """The addresses that a person may type."""
        return [
            Route("/signin", self._signin, methods=["GET", "POST"]),
            Route("/signout", self._signout, methods=["POST"]),
            *(Route(path, self._page) for path in ("/", "/live", "/history", "/alerts/{alert_id}")),
        ]

    def error(self, status: int, message: str) -> Response:
        """A page that says what is wrong."""
        body = self._templates.get_template("error.html").render(status=status, message=message)
        return HTMLResponse(body, status_code=status)

    async def _page(self, request: Request) -> Response:
        if request.url.path == "/" and "demo" in request.query_params:
            return self._signing_in.demo(request) or RedirectResponse("/signin?why=used", status_code=303)
        try:
            session = self._signing_in.session(request)
        except SecretError as error:
            return self.error(503, str(error))
        if session is None:
            return RedirectResponse(signin_address(request), status_code=303)
        alert_id = request.path_params.get("alert_id")
        if alert_id is not None and self._cases.visible(alert_id, session.user) is None:
            return self.error(404, "There is no such alert here, or it has been deleted since.")
        self._signing_in.sessions.touch(session)
        return HTMLResponse(
            self._templates.get_template("page.html").render(
                user=session.user,
                csrf=session.csrf,
                permissions=" ".join(sorted(PERMISSIONS[session.user.role])),
                deployment=self._settings.deployment,
                location=self._settings.location,
                demo=session.user.password == "",
            )
        )

    async def _signin(self, request: Request) -> Response:
        message = _WHY.get(request.query_params.get("why", ""), "")
        status = 200
        try:
            if request.method == "POST":
                try:
                    return await self._signing_in.sign_in(request)
                except SignInRefused as refused:
                    message, status = str(refused), refused.status
            elif self._signing_in.session(request) is not None:
                return RedirectResponse("/", status_code=303)
            demo = self._settings.demo_token is not None
            nobody = not demo and not self._users.all()
        except SecretError as error:
            return self.error(503, str(error))
        secret, token = self._signing_in.form_token(request)
        response = HTMLResponse(
            self._templates.get_template("signin.html").render(
                token=token,
                message=message,
                nobody=nobody,
                demo=demo,
                next=request.query_params.get("next", "/"),
                deployment=self._settings.deployment,
                location=self._settings.location,
            ),
            status_code=status,
        )
        self._signing_in.keep_form_secret(response, secret)
        return response

    async def _signout(self, request: Request) -> Response:
        session = self._signing_in.session(request)
        if session is None:
            return RedirectResponse("/signin", status_code=303)
        self._signing_in.check_token(request, session, (await self._signing_in.fields(request)).get("csrf", ""))
        return self._signing_in.sign_out(session)
