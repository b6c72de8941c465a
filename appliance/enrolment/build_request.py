"""What a person asks for when a watchlist is to be built, and the job that it makes with a configuration's help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.core.errors import WatchlistError
from appliance.enrolment.watchlist_build import Job
from appliance.gallery.watchlist.container import MAX_FILE_BYTES
from appliance.gallery.watchlist.entry import RESPONSES
from appliance.security import keys

EXTENSION: Final = timedelta(hours=12)
"""A list built for a deployment lives this much longer, so that an extension need not wait for a new one. The end of
the deployment destroys it all the same."""
DEFAULT_LIFE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What was asked for; None leaves it to the configuration, or to the default where there is none.

    Attributes
    ----------
    to
        The appliance's public sealing key, seal.pub.
    sign
        The builder's secret key; default: builder.key beside seal.pub.
    passphrase_file
        Of the builder's key.
    deployment
        Id of the deployment that the list is for; empty for a trial.
    max_entries
        More people are refused; a configuration's limit counts too.
    """

    source: Path
    output: Path
    to: Path
    sign: Path | None = None
    passphrase_file: Path | None = None
    deployment: str | None = None
    expires: datetime | None = None
    sequence: int | None = None
    max_entries: int = 10_000
    category: str = "unspecified"
    response: str = "amber"
    detector: str | None = None
    embedder: str | None = None
    workers: int = 0
    cache: bool = True

    def job(self, config: Config | None = None) -> Job:
        """The job, with every key read.

        Raises
        ------
        WatchlistError
            The response is unknown, the output cannot be written or is something else than a watchlist, or there is no
            builder's key.
        SecretError
            A key or its passphrase is missing, readable by others, or not what it should be.
        """
        if self.response not in RESPONSES:
            raise WatchlistError(f"--response {self.response!r} is unknown.", f"Use one of {', '.join(RESPONSES)}.")
        _require_writable(self.output)
        recipient = keys.load_recipient(self.to)
        key = self.sign or self.to.parent / "builder.key"
        if self.sign is None and not key.exists():
            raise WatchlistError(
                f"A list is signed, and {key} does not exist.", "Name the builder's key with --sign KEY."
            )
        lasts = config.deployment.ends + EXTENSION if config else utc_now() + DEFAULT_LIFE
        named = config.deployment.id if config else ""
        return Job(
            source=self.source,
            output=self.output,
            recipient=recipient,
            signer=keys.load_signer(key, keys.read_passphrase(self.passphrase_file)),
            expires=self.expires or lasts,
            deployment=named if self.deployment is None else self.deployment,
            sequence=self.sequence,
            max_entries=min(self.max_entries, config.watchlist.max_entries if config else self.max_entries),
            category=self.category,
            response=self.response,
            models_dir=config.models.dir if config else None,
            detector=self.detector or (config.models.detector if config else "centerface"),
            embedder=self.embedder or (config.models.embedder if config else "mobilefacenet"),
            workers=self.workers,
            cache=self.cache,
        )


def _require_writable(output: Path) -> None:
    """A photo or another document that was named by mistake is not written over."""
    if not output.resolve().parent.is_dir() or output.is_dir():
        raise WatchlistError(f"{output} cannot be written.", "Name a file in a folder that is there.")
    if output.exists() and output.stat().st_size <= MAX_FILE_BYTES:
        with output.open("rb") as file:
            if file.read(8) not in (b"", b"LFRWLIST"):
                raise WatchlistError(f"{output} is something else than a watchlist.", "Name another file with -o.")
