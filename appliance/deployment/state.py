"""What the appliance knows about its deployment besides the configuration: `deployment.json` and `tally.json`.

`deployment.json` changes only together with an act in the audit record that holds its hash. A file that does not fit
the record (somebody edited it, or took it away) is refused: without a record to be believed there is no authority.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from appliance.audit.chain import AuditLine, Verification
from appliance.audit.record import Act, AuditRecord
from appliance.config.live import Config
from appliance.core.clock import Moment, utc_now
from appliance.core.errors import AuthorityError

STATE_FILE: Final = "deployment.json"
TALLY_FILE: Final = "tally.json"
SLOT_MINUTES: Final = 10
ARCHIVE: Final = "archive"
ARCHIVED: Final = (
    "deployment.json", "tally.json", "figures.json", "certificate.json", "certificate.html",
    "report-public.json", "report-public.html", "report-full.json", "report-full.html",
)  # fmt: skip

Phase = Literal["waiting", "running", "ending", "ended", "purged"]


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a power cut, finds the old one or the new one, whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        _write_synced(temporary, data, mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say which file it was
        raise


def sync_dir(folder: Path) -> None:
    """Make the folder's entries (a rename, a removal) durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Extension(_Part):
    """A later end, authorised anew."""

    until: Moment
    by: str
    rank: str
    reason: str
    at: Moment


class Revocation(_Part):
    """The authority was withdrawn."""

    by: str
    reason: str
    at: Moment


class _Entry(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def response(self) -> str: ...


class UsedList(_Part):
    """What is kept of a watchlist after it is destroyed: counts and identifiers, never a picture or a name.

    Attributes
    ----------
    blue_ids
        Ids of the seeded officers' entries (`lfr blue` checks against them); they are not wanted persons.
    """

    digest: str
    sequence: int = 0
    opened_at: Moment
    entries: int
    photos: int = 0
    by_category: dict[str, int] = Field(default_factory=dict)
    by_response: dict[str, int] = Field(default_factory=dict)
    blue_ids: tuple[str, ...] = ()
    builder: str = ""
    approvals: tuple[str, ...] = ()
    embedder: str = ""
    under_18: int = 0

    @classmethod
    def of(
        cls,
        entries: Iterable[_Entry],
        digest: str,
        *,
        sequence: int = 0,
        photos: int = 0,
        builder: str = "",
        approvals: Iterable[str] = (),
        embedder: str = "",
        at: datetime | None = None,
    ) -> UsedList:
        """Count the entries of an opened list; blue-list entries are counted under `blue` and in no category."""
        everybody = list(entries)
        wanted = [entry for entry in everybody if entry.response != "blue"]
        return cls(
            digest=digest,
            sequence=sequence,
            opened_at=at or utc_now(),
            entries=len(wanted),
            photos=photos,
            by_category=dict(sorted(Counter(entry.category for entry in wanted).items())),
            by_response=dict(sorted(Counter(entry.response for entry in wanted).items())),
            blue_ids=tuple(sorted(entry.id for entry in everybody if entry.response == "blue")),
            builder=builder,
            approvals=tuple(approvals),
            embedder=embedder,
            under_18=sum(bool(getattr(entry, "under_18", False)) for entry in wanted),
        )


class DeploymentState(_Part):
    """Where the deployment stands.

    Attributes
    ----------
    phase
        `waiting` → `running` → `ending` (being destroyed) → `ended` (alerts are still kept) → `purged`.
    starts, ends
        The window as configured when recognition first started; from then on only an extension moves the end.
    purge_at
        When the last alert must be gone.
    models
        `name@sha` of detector and embedder, and the threshold in force with who set it, as of the last start.
    """

    v: Literal[1] = 1
    deployment: str
    phase: Phase = "waiting"
    opened_at: Moment
    started_at: Moment | None = None
    starts: Moment | None = None
    ends: Moment | None = None
    extensions: tuple[Extension, ...] = ()
    revocation: Revocation | None = None
    end_begun_at: Moment | None = None
    end_by: str = ""
    end_reason: str = ""
    ended_at: Moment | None = None
    purge_at: Moment | None = None
    purged_at: Moment | None = None
    lists: tuple[UsedList, ...] = ()
    models: dict[str, str] = Field(default_factory=dict)
    threshold: float | None = None
    model_threshold: float | None = None
    provider: str = ""

    @property
    def newest_sequence(self) -> int:
        """The highest sequence among the lists that were used; no older list is taken up. 0 where none was."""
        return max((record.sequence for record in self.lists), default=0)


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
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.state_dir / "deployment.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

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
                sync_dir(self.state_dir)
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

    def peek(self) -> DeploymentState | None:
        """The state as far as it can be read, unverified: for the end, which no damage may prevent."""
        return self.believed() or self._unverified()

    def _unverified(self) -> DeploymentState | None:
        with contextlib.suppress(AuthorityError, OSError):
            if self._stamp() is not None:
                return self._parse(self.path.read_bytes())
        return None

    def believed(self) -> DeploymentState | None:
        """The state where there is one and the audit record knows it; None where nothing in it may be relied on."""
        with contextlib.suppress(AuthorityError, OSError):
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
        act: str,
        by: str,
        details: dict[str, Any] | None = None,
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
            state = change(self._load() if trusting else self._peek_locked())
            data = state.model_dump_json(indent=1).encode() + b"\n"
            _write_synced(self._next, data, 0o600)
            digest = hashlib.sha256(data).hexdigest()
            self.audit.append(Act(act=act, by=by, details={**(details or {}), "state_sha256": digest}))
            self._next.replace(self.path)
            sync_dir(self.state_dir)
            self._seen = None
            return state

    def _peek_locked(self) -> DeploymentState | None:
        with contextlib.suppress(AuthorityError, OSError):
            return self._load()
        return self._unverified()

    def newest_sequence(self, deployment: str) -> int:
        """The highest sequence among the watchlists that this deployment used here; 0 where it used none.

        Raises
        ------
        AuthorityError
            The state cannot be believed.
        """
        state = self.load()
        return state.newest_sequence if state is not None and state.deployment == deployment else 0

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
            "deployment.open",
            "appliance",
            {"deployment": wanted, "authorised_by": config.deployment.authorised_by.name},
        )

    def _archive(self, deployment: str) -> None:
        folder = self.state_dir / ARCHIVE / deployment
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            self.audit.append(
                Act(act="deployment.archive", by="appliance", details={"deployment": deployment, "state_sha256": ""})
            )
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


def add_list(state: DeploymentState, record: UsedList) -> DeploymentState:
    """The state with an opened watchlist added, unless it is the one in use."""
    if state.lists and state.lists[-1].digest == record.digest:
        return state
    return state.model_copy(update={"lists": (*state.lists, record)})


class CameraTally(BaseModel):
    """What one camera saw, in numbers that stand for nobody.

    Attributes
    ----------
    uncertain
        Of the people seen, how many were first seen where too few frames were looked at to be sure that they were new.
    slots
        People seen in each ten minutes, by the slot's start in UTC: `2026-11-21T10:30Z`.
    """

    model_config = ConfigDict(extra="ignore")

    people_seen: int = Field(0, ge=0)
    uncertain: int = Field(0, ge=0)
    faces: int = Field(0, ge=0)
    frames: int = Field(0, ge=0)
    dropped: int = Field(0, ge=0)
    alerts: int = Field(0, ge=0)
    slots: dict[str, int] = Field(default_factory=dict)


class Tally(BaseModel):
    """The counts of a deployment, over every start of every camera; the supervisor writes it."""

    model_config = ConfigDict(extra="ignore")

    deployment: str = ""
    updated_at: Moment = Field(default_factory=utc_now)
    cameras: dict[str, CameraTally] = Field(default_factory=dict)

    @property
    def people_seen(self) -> int:
        """People seen by all cameras (tracks: somebody who passes two cameras counts twice)."""
        return sum(camera.people_seen for camera in self.cameras.values())

    @property
    def uncertain(self) -> int:
        """Of the people seen, how many may have been counted before."""
        return sum(camera.uncertain for camera in self.cameras.values())

    @classmethod
    def load(cls, state_dir: Path) -> Tally:
        """The tally; an empty one where there is none or it cannot be read."""
        try:
            return cls.model_validate_json((state_dir / TALLY_FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()

    def save(self, state_dir: Path) -> None:
        """Write it, atomically."""
        write_atomic(state_dir / TALLY_FILE, self.model_dump_json().encode())

    def add(self, camera: str, people: int, at: datetime | None = None, **counts: int) -> None:
        """Count people that one camera saw since the last call (and uncertain ones, faces, frames, dropped, alerts)."""
        tally = self.cameras.setdefault(camera, CameraTally())
        tally.people_seen += people
        for name, count in counts.items():
            setattr(tally, name, getattr(tally, name) + count)
        if people > 0:
            slot = slot_of(at or utc_now())
            tally.slots[slot] = tally.slots.get(slot, 0) + people
        self.updated_at = at or utc_now()


def slot_of(moment: datetime) -> str:
    """The ten minutes that hold a moment, by their start: `2026-11-21T10:30Z`."""
    start = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return (start - timedelta(minutes=start.minute % SLOT_MINUTES)).strftime("%Y-%m-%dT%H:%MZ")
