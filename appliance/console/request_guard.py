"""What every request passes before a route sees it: host, origin, size; and the headers that every answer carries."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.core.errors import LfrError, SecretError

MAX_BODY_BYTES = 16_384
MAX_PATH_CHARACTERS = 2_048
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer, browsers send "Origin: null" with forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
}


class RequestDenied(LfrError):
    """A request that is answered with an error.

    Parameters
    ----------
    status
        HTTP status.
    code
        A word that the page can act on.
    message
        A plain sentence that may be shown.
    """

    def __init__(self, status: int, code: str, message: str, **extra: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra

    def answer(self) -> JSONResponse:
        """As JSON, for the page's own requests."""
        body = {"error": {"code": self.code, "message": self.message, **self.extra}}
        return JSONResponse(body, status_code=self.status)


def hosts_of(listen: str, certificate: Path | None) -> frozenset[str]:
    """The names under which the console may be asked for: loopback, where it listens, and those in its certificate.

    Raises
    ------
    SecretError
        When the certificate cannot be read.
    """
    host = listen.rpartition(":")[0]
    names = set(LOOPBACK_NAMES)
    if host not in {"0.0.0.0", "[::]", "*", ""}:  # noqa: S104  compared, not bound
        names.add(host.lower())
    if certificate is not None:
        try:
            parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
            alternatives = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return frozenset(names)
        except (OSError, ValueError) as error:
            raise SecretError(f"{certificate} is not a certificate: {error}.", "Give a PEM file.") from None
        names.update(name.lower() for name in alternatives.get_values_for_type(x509.DNSName))
        for address in alternatives.get_values_for_type(x509.IPAddress):
            names.add(f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address))
    return frozenset(names)


def _host_name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


class RequestGuard:
    """ASGI middleware in front of everything.

    Refused are: hosts that are not this console (DNS rebinding), changes that another site's page sends, bodies above
    `MAX_BODY_BYTES`, and overlong paths.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], *, tls: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
                if self._tls:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded_send)
            return

        taken = 0

        async def guarded_receive() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > MAX_BODY_BYTES:
                    raise RequestDenied(413, "too_large", f"A request may have {MAX_BODY_BYTES} bytes at most.")
            return message

        await self._app(scope, guarded_receive, guarded_send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return PlainTextResponse("This console does not go by that name.\n", status_code=421)
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > MAX_PATH_CHARACTERS:
            return PlainTextResponse("The address is too long.\n", status_code=414)
        if scope["method"] not in _SAFE_METHODS:
            own = f"{'https' if self._tls else 'http'}://{host}".lower()
            site = headers.get("sec-fetch-site", "same-origin")
            if headers.get("origin", "").lower() != own or site != "same-origin":
                return RequestDenied(403, "cross_site", "Changes are only taken from this console's own page.").answer()
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                message = f"A request may have {MAX_BODY_BYTES} bytes at most."
                return RequestDenied(413, "too_large", message).answer()
        return None
