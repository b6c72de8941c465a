"""Keeps the state of a deployment on disk: `deployment.json` changes only together with an act in the audit record.

The act holds the file's hash. A file that does not fit the record (somebody edited it, or took it away) is refused:
without a record to be believed there is no authority.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.audit.act import APPLIANCE, StateAct
from appliance.audit.acts import DeploymentArchive, DeploymentOpen
from appliance.audit.chain import AuditLine, Verification
from appliance.audit.record import AuditRecord
from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.core.errors import AuthorityError, FileError, LfrError
from appliance.core.files import locked, make_folder, sync_folder, write_private
from appliance.deployment.state import DeploymentState

STATE_FILE: Final = "deployment.json"
ARCHIVE: Final = "archive"
ARCHIVED: Final = (
    "deployment.json", "tally.json", "figures.json", "certificate.json", "certificate.html",
    "report-public.json", "report-public.html", "report-full.json", "report-full.html",
)  # fmt: skip


class Store:
    """Reads and changes `deployment.json`, always together with the audit record.

    Parameters
    ----------
    state_dir
        The configuration's `alerts.state_dir`; made (mode 0700) where it is missing.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.path = state_dir / STATE_FILE
        self.audit = AuditRecord(state_dir)
        self._next = state_dir / f".{STATE_FILE}.next"
        self._seen: tuple[tuple[int, int, int], DeploymentState] | None = None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        make_folder(self.state_dir)
        with locked(self.state_dir / "deployment.lock"):
            yield

    def load(self) -> DeploymentState | None:
        """The state; None where no deployment was taken up here. Cheap when nothing changed: call it each second.

        Raises
        ------
        AuthorityError
            The file is missing, unreadable or not the one that the audit record knows. Treat it as lost authority.
        """
        stamp = self._stamp()
        if stamp is not None and self._seen is not None and self._seen[0] == stamp:
            return self._seen[1]
        if stamp is None and not self.audit.path.exists():
            return None
        with self._locked():
            return self._load()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise AuthorityError(f"{self.path} is not a file.", "End the deployment with lfr end.")
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> DeploymentState | None:
        stamp = self._stamp()
        data = self.path.read_bytes() if stamp is not None else None
        known = self.audit.newest(lambda record: "state_sha256" in record.details)
        expected = str(known.details["state_sha256"]) if known else ""
        if data is None or hashlib.sha256(data).hexdigest() != expected:
            waiting = self._next.read_bytes() if self._next.exists() else None
            if waiting is not None and expected and hashlib.sha256(waiting).hexdigest() == expected:
                # A power cut came after the act was recorded and before the file took its place.
                self._next.replace(self.path)
                sync_folder(self.state_dir)
                data, stamp = waiting, self._stamp()
            elif data is None and not expected:
                return None
            else:
                raise AuthorityError(_mismatch(self.path, data, known), "End the deployment with lfr end.")
        state = self._parse(data)
        if stamp is not None:
            self._seen = (stamp, state)
        return state

    def _parse(self, data: bytes | None) -> DeploymentState:
        try:
            return DeploymentState.model_validate_json(data or b"")
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise AuthorityError(
                f"{self.path} is not a deployment's state ({where or 'no JSON'}).", "End the deployment with lfr end."
            ) from None

    def read_unverified(self) -> DeploymentState | None:
        """The state as far as it can be read, unverified: for the end, which no damage may prevent."""
        return self.load_or_none() or self._as_it_lies()

    def _as_it_lies(self) -> DeploymentState | None:
        with contextlib.suppress(AuthorityError, FileError, OSError):
            if self._stamp() is not None:
                return self._parse(self.path.read_bytes())
        return None

    def load_or_none(self) -> DeploymentState | None:
        """The state where there is one and the audit record knows it; None where nothing in it may be relied on."""
        with contextlib.suppress(AuthorityError, FileError, OSError):
            return self.load()
        return None

    def verify(self, anchor: str | None = None) -> Verification:
        """Check the audit record (see `AuditRecord.verify`), and that the state beside it is the one that it knows.

        The state tells when acts were removed together with what `audit.head` says of them.
        """
        found = self.audit.verify(anchor)
        try:
            self.load()
        except AuthorityError as error:
            if self.path.exists():
                return replace(
                    found, problems=(*found.problems, f"{error.problem} Or acts of the record were removed.")
                )
        return found

    def change(
        self,
        change: Callable[[DeploymentState | None], DeploymentState],
        act: StateAct,
        by: str,
        *,
        trusting: bool = True,
    ) -> DeploymentState:
        """Change the state under a lock, and record the act with the new file's hash before it takes its place.

        Parameters
        ----------
        change
            Gets the state (None where there is none) and gives the new one; raises to change nothing.
        trusting
            Refuse to build on a state that does not fit the audit record; False only for the end.
        """
        with self._locked():
            state = change(self._load() if trusting else self._load_anyhow())
            data = state.model_dump_json(indent=1).encode() + b"\n"
            write_private(self._next, data)
            digest = hashlib.sha256(data).hexdigest()
            self.audit.append(act.with_state(digest), by)
            self._next.replace(self.path)
            sync_folder(self.state_dir)
            self._seen = None
            return state

    def update(
        self,
        change: Callable[[DeploymentState], DeploymentState],
        act: StateAct,
        by: str,
    ) -> DeploymentState:
        """The same for a state that must be there (`AuthorityError` where it is not)."""

        def existing(state: DeploymentState | None) -> DeploymentState:
            if state is None:
                raise AuthorityError("The deployment's state is gone.")
            return change(state)

        return self.change(existing, act, by)

    def _load_anyhow(self) -> DeploymentState | None:
        with contextlib.suppress(AuthorityError, FileError, OSError):
            return self._load()
        return self._as_it_lies()

    def newest_sequence(self, deployment: str) -> int:
        """The highest sequence among the watchlists that this deployment used here; 0 where it used none.

        Raises
        ------
        AuthorityError
            The state cannot be believed.
        """
        state = self.load()
        return state.newest_sequence if state is not None and state.deployment == deployment else 0

    def require_known(self, deployment: str) -> None:
        """Refuse what asks about a deployment that this folder knows nothing of.

        Raises
        ------
        LfrError
            It was put into the archive, or never ran here.
        """
        state = self.read_unverified() if self.state_dir.is_dir() else None
        if state is not None and state.deployment == deployment:
            return
        archived = self.state_dir / ARCHIVE / deployment
        if archived.is_dir():
            raise LfrError(
                f"{deployment} was put away when the next deployment began.", f"Its reports are in {archived}."
            )
        other = f"; it belongs to {state.deployment}" if state else ""
        raise LfrError(
            f"{self.state_dir} knows no deployment {deployment}{other}.", "It is known from its first lfr run on."
        )

    def take_up(self, config: Config, now: datetime | None = None) -> DeploymentState:
        """The state of this configuration's deployment, begun where there is none (`authority.require` judges it).

        An earlier deployment that has ended and been purged is put into `archive/ID/` first.

        Raises
        ------
        AuthorityError
            Another deployment's state is still here, or the state cannot be believed.
        """
        wanted = config.deployment.id
        state = self.load()
        if state is not None and state.deployment == wanted:
            return state
        if state is not None and state.phase != "purged":
            has = "has not ended" if state.phase in ("waiting", "running", "ending") else "still has alerts to keep"
            raise AuthorityError(
                f"alerts.state_dir: {self.state_dir} belongs to the deployment {state.deployment}, which {has}.",
                "End it with lfr end and its configuration, wait for its purge (or lfr purge --all), "
                "or name another state_dir.",
            )
        if state is not None:
            self._archive(state.deployment)
        return self.change(
            lambda _: DeploymentState(deployment=wanted, opened_at=now or utc_now()),
            DeploymentOpen(deployment=wanted, authorised_by=config.deployment.authorised_by.name),
            APPLIANCE,
        )

    def _archive(self, deployment: str) -> None:
        folder = self.state_dir / ARCHIVE / deployment
        make_folder(folder)
        with self._locked():
            self.audit.append(DeploymentArchive(deployment=deployment, state_sha256=""), APPLIANCE)
            for name in ARCHIVED:
                if (self.state_dir / name).exists():
                    shutil.move(self.state_dir / name, folder / name)
            self._seen = None


def _mismatch(path: Path, data: bytes | None, known: AuditLine | None) -> str:
    if data is None:
        return f"{path} is missing, although act {known.n if known else 0} of the audit record wrote it."
    if known is None:
        return f"{path} is here, but the audit record knows nothing of it."
    return f"{path} is not the file that act {known.n} of the audit record wrote: something else changed it."
