"""Notices a changed watchlist file, and lets only a list that was verified reach the cameras.

Cameras open the supervisor's copy in the runtime folder (still sealed), never the operator's file: a bad or
half-written file cannot reach a camera, not even one that is restarted just then.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import WatchlistRefused
from appliance.audit.record import AuditRecord
from appliance.core.errors import LfrError, WatchlistError
from appliance.deployment.list_facts import OpenedList
from appliance.supervision.deployment_port import DeploymentPort

log = structlog.get_logger()
MAX_SEALED_BYTES = 2_000_000_000


@dataclass(frozen=True)
class _Look:
    """One look at a file's metadata."""

    inode: int
    size: int
    mtime_ns: int


class ListWatch:
    """The accepted list and the operator's file.

    Parameters
    ----------
    source
        The sealed file that the configuration names.
    runtime
        The run's private folder; the accepted copy lies there as `accepted.lfrw`.

    Attributes
    ----------
    facts
        Of the accepted list; None before `open`.
    refused
        Why the newest file was refused; empty when it was not.
    """

    def __init__(self, source: Path, runtime: Path, deployment: DeploymentPort, audit: AuditRecord) -> None:
        self.source = source
        self.accepted = runtime / "accepted.lfrw"
        self.facts: OpenedList | None = None
        self.refused = ""
        self._deployment = deployment
        self._audit = audit
        self._incoming = runtime / "incoming.lfrw"
        self._settled: _Look | None = None
        self._last: _Look | None = None

    def open(self) -> OpenedList:
        """Take the list for the first time.

        Raises
        ------
        WatchlistError, SecretError
            It cannot be opened or trusted.
        """
        self._settled = self._last = self._look()
        self.facts = self._accept(self._copy())
        self._deployment.list_opened(self.facts, None)
        return self.facts

    def poll(self) -> bool:
        """Look at the file; True when another list was taken up.

        A file is read only when two looks agree, so that one that is just being copied is not judged half-written.
        """
        look = self._look()
        before, self._last = self._last, look
        if look is None or look == self._settled or look != before:
            return False
        self._settled = look
        return self._change()

    def forget(self) -> None:
        """Remove the accepted copy: no camera needs it any more."""
        self.accepted.unlink(missing_ok=True)
        self._incoming.unlink(missing_ok=True)

    def _change(self) -> bool:
        before = self.facts
        try:
            digest = self._copy()
            if before is not None and digest == before.digest:
                self.refused = ""
                return False
            facts = self._accept(digest)
        except LfrError as error:
            self._incoming.unlink(missing_ok=True)
            self.refused = str(error)
            log.error("the new watchlist was refused; the cameras keep the one they have", reason=self.refused)
            self._audit.append(WatchlistRefused(reason=self.refused), APPLIANCE)
            return False
        self.refused, self.facts = "", facts
        self._deployment.list_opened(facts, before)
        known = before.ids if before else frozenset()
        log.info(
            "new watchlist taken up",
            digest=facts.digest[:12],
            sequence=facts.sequence,
            entries=len(facts),
            added=len(facts.ids - known),
            removed=len(known - facts.ids),
        )
        return True

    def _accept(self, digest: str) -> OpenedList:
        facts = self._deployment.open_list(self._incoming)
        if facts.digest != digest:
            raise WatchlistError(f"{self.source} does not have the digest that it says.", "Build it again.")
        self._incoming.replace(self.accepted)
        return facts

    def _copy(self) -> str:
        """Copy the operator's file beside the accepted one; returns its sha256."""
        sha = hashlib.sha256()
        if self.source.exists() and not self.source.is_file():  # a pipe would be waited for, and nobody watched
            raise WatchlistError(f"The watchlist {self.source} is not a file.", "Put the sealed file there.")
        try:
            with self.source.open("rb") as source:
                fd = os.open(self._incoming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with os.fdopen(fd, "wb") as copy:
                    while part := source.read(1 << 20):
                        sha.update(part)
                        copy.write(part)
                        if copy.tell() > MAX_SEALED_BYTES:
                            raise WatchlistError(f"{self.source} is larger than {MAX_SEALED_BYTES} bytes.")
        except FileNotFoundError:
            raise WatchlistError(
                f"The watchlist {self.source} does not exist.", "Build it with lfr watchlist build."
            ) from None
        except OSError as error:
            raise WatchlistError(f"The watchlist {self.source} cannot be read: {error.strerror}.") from None
        return sha.hexdigest()

    def _look(self) -> _Look | None:
        try:
            stat = self.source.stat()
        except OSError:
            return None
        return _Look(stat.st_ino, stat.st_size, stat.st_mtime_ns)
