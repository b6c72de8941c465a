"""The console's process: one listening socket, one event loop, heartbeats, and an end within a second or two."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn

from appliance.console.app import ConsoleApp
from appliance.console.settings import ConsoleSettings
from appliance.core.errors import ConfigError
from appliance.core.heartbeat import HeartbeatSender
from appliance.core.process import die_with_parent
from appliance.core.telemetry import configure_logging
from appliance.security.tls import check_pair

HEARTBEAT_S = 0.2
MAX_CONNECTIONS = 400

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """Leaves signals to `serve`: uvicorn would raise them again at its end and spoil the exit code."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), int(port)))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"The console cannot listen on {address}: {error.strerror}.", "Set console.listen to a free address."
        ) from None
    return listening


async def _run(settings: ConsoleSettings, listening: socket.socket) -> None:
    app = ConsoleApp(settings)
    server = _Server(
        uvicorn.Config(
            app.asgi(),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=2,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        app.pages.close()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    async def beat() -> None:
        reporter = HeartbeatSender(settings.runtime, "console")
        try:
            while not server.should_exit:
                link = app.pages.link()
                detail = "" if link["hub"] == "connected" else "The hub cannot be heard."
                reporter.meter.set("lfr_console_pages", app.pages.count)
                reporter.beat("ready" if server.started else "starting", detail=detail, pending=app.audit_queue.waiting)
                if reporter.instructions.stop:
                    stop()
                await asyncio.sleep(HEARTBEAT_S)
        finally:
            reporter.close()

    heart = asyncio.create_task(beat())
    log.info("console is open", url=settings.url)
    try:
        await server.serve(sockets=[listening])
    finally:
        server.should_exit = True
        await heart


def serve(settings: ConsoleSettings, opened: Callable[[], None] = lambda: None) -> None:
    """Run a console until SIGTERM, SIGINT, or the supervisor wants it to stop.

    Parameters
    ----------
    opened
        Called once nothing stands in the way any more: certificate and address are good.

    Raises
    ------
    ConfigError
        When the address is taken.
    SecretError
        When the certificate does not fit its key, or the key can be read by others.
    """
    configure_logging("console")
    if settings.runtime is not None:
        die_with_parent()
    check_pair(settings.tls_cert, settings.tls_key)
    listening = _listen(settings.listen)
    opened()
    with listening:
        asyncio.run(_run(settings, listening))
