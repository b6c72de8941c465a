"""What a console process needs to know, in one value that can be handed to a spawned process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from appliance.config.live import Config
from appliance.config.sections import Console


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Where to listen, whom to ask, who may sign in.

    Attributes
    ----------
    listen
        `HOST:PORT` of the page.
    publish, replay
        The hub's public endpoints.
    users_file
        Made by `lfr users`; need not exist yet.
    deployment, location
        Shown until the first status arrives.
    keep_hours
        Alerts older than this are forgotten here too.
    runtime
        The supervisor's runtime folder; None when the console runs alone.
    demo_token
        When set, `/?demo=TOKEN` signs one browser in, once, as supervisor `demo`.
    """

    listen: str
    publish: str
    replay: str
    users_file: Path
    deployment: str = ""
    location: str = ""
    keep_hours: float | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    session_hours: float = 8.0
    idle_minutes: float = 60.0
    runtime: Path | None = None
    demo_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_config(cls, config: Config, runtime: Path | None = None, demo_token: str | None = None) -> Self:
        """The settings of a configuration; without a `console` section, those of an empty one."""
        console = config.console or Console()
        return cls(
            listen=console.listen,
            publish=config.alerts.publish,
            replay=config.alerts.replay,
            users_file=config.users_file,
            deployment=config.deployment.id,
            location=config.deployment.location,
            keep_hours=config.alerts.keep_hours,
            tls_cert=console.tls_cert,
            tls_key=console.tls_key,
            session_hours=console.session_hours,
            idle_minutes=console.idle_minutes,
            runtime=runtime,
            demo_token=demo_token,
        )

    @property
    def tls(self) -> bool:
        """Whether the page is served encrypted."""
        return self.tls_cert is not None

    @property
    def url(self) -> str:
        """The page's address."""
        return f"{'https' if self.tls else 'http'}://{self.listen}/"
