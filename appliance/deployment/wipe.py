"""The end of a deployment: stop, destroy, check, certify. Interrupted anywhere, the next call continues.

Each destruction is an act in the audit record, before (`stage: begin`) and after (`stage: done`); the certificate is
made from these acts, so that one whose `end` was cut off by a power failure lists everything all the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from appliance.alerts.vault import shred
from appliance.config import Config
from appliance.deployment import certificate, figures
from appliance.deployment.audit import Act
from appliance.deployment.scan import Budget, Scan, scan
from appliance.deployment.state import DeploymentState, Store, sync_dir
from appliance.errors import AuthorityError, LfrError
from appliance.types import utc_now, utc_text

STOP_S: Final = 10.0
KILL_S: Final = 5.0
_RUNTIME_GLOB: Final = "lfr-*"
_NEEDLE_BYTES: Final = 48
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """What `end` did.

    Attributes
    ----------
    already
        The deployment had ended before this call; nothing was destroyed by it.
    complete
        Everything that had to be destroyed is gone, and the scan found nothing.
    problems
        What is not, one sentence each.
    """

    deployment: str
    ended_at: datetime
    already: bool
    complete: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def holder(state_dir: Path) -> int | None:
    """Process id of the `lfr run` that uses a state folder; None without one, 0 where it cannot be told."""
    try:
        lock = os.open(state_dir / "run.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(lock, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(lock)
    return None


def stop(state_dir: Path, step: Step = lambda _: None) -> bool:
    """Stop a running appliance: asked first, killed after `STOP_S` seconds; True when there was one.

    Raises
    ------
    LfrError
        It belongs to another user, or does not let go of the folder.
    """
    pid = holder(state_dir)
    if pid is None or pid == os.getpid():
        return False
    step(f"stopping the appliance (process {pid})")
    for number, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, KILL_S)):
        try:
            if pid > 1:
                os.kill(pid, number)
        except ProcessLookupError:
            pass  # it is gone already; the lock follows
        except PermissionError:
            raise LfrError(
                f"The appliance (process {pid}) belongs to another user.", "Run lfr end as that user, or as root."
            ) from None
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if holder(state_dir) is None:
                return True
            time.sleep(0.05)
    raise LfrError(
        f"Something (process {pid or 'unknown'}) still uses {state_dir}.", "Stop it by hand, then run lfr end again."
    )


@contextlib.contextmanager
def _alone(state_dir: Path, wait_s: float) -> Iterator[None]:
    """Only one end at a time; a second one waits for the first."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(state_dir / "end.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LfrError("Another lfr end is at work already.", "Wait for it, then ask again.") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _no_run(state_dir: Path) -> Iterator[None]:
    """Keep `lfr run` from starting meanwhile, unless this process is it."""
    lock = os.open(state_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def end(
    config: Config,
    by: str = "appliance",
    reason: str = "ended by hand",
    *,
    now: datetime | None = None,
    step: Step = lambda _: None,
) -> Ended:
    """Stop the appliance, destroy what a deployment must not outlive, check that it is gone, and certify it.

    Destroyed are the sealing key (first: without it the list cannot be read any more), the sealed watchlist with its
    companions, runtime folders and temporary files. Alerts stay until their time (`purge`). No damage to the
    deployment's state prevents the end. Called again, it continues what was interrupted, or does nothing.

    Parameters
    ----------
    step
        Told what comes next, for progress.

    Raises
    ------
    LfrError
        The appliance cannot be stopped, or a file cannot be destroyed.
    """
    state_dir = config.alerts.state_dir
    store = Store(state_dir)
    own = holder(state_dir) == os.getpid()
    with _alone(state_dir, 1.0 if own else STOP_S + KILL_S + 30.0):
        state = _ours(config, store)
        if state is not None and state.phase in ("ended", "purged") and state.ended_at is not None:
            return _already(config, store, state)
        stop(state_dir, step)
        with _no_run(state_dir):
            return _end(config, store, by, reason, now, step)


def _ours(config: Config, store: Store) -> DeploymentState | None:
    state = store.peek()
    if state is None or state.deployment == config.deployment.id:
        return state
    if state.phase == "purged":
        return store.take_up(config)
    raise AuthorityError(
        f"{store.state_dir} belongs to the deployment {state.deployment}, not to {config.deployment.id}.",
        "End it with its own configuration.",
    )


def _already(config: Config, store: Store, state: DeploymentState) -> Ended:
    left = [path for path in (config.watchlist.key, *_list_files(config)) if _exists(path)]
    notes = tuple(f"{path} was put there after the end; it was not touched." for path in left)
    if not certificate.exists(config):
        certificate.write(config, store)
    made = certificate.load(config)
    problems = tuple(made.problems) if made else ()
    return Ended(state.deployment, state.ended_at or utc_now(), True, not problems, problems, notes)


def _end(config: Config, store: Store, by: str, reason: str, now: datetime | None, step: Step) -> Ended:
    moment = now or utc_now()

    def begin(state: DeploymentState | None) -> DeploymentState:
        state = state or DeploymentState(deployment=config.deployment.id, opened_at=moment)
        return state.model_copy(
            update={"phase": "ending", "end_begun_at": moment, "end_by": by, "end_reason": reason[:500]}
        )

    state = store.peek()
    if state is None or state.phase != "ending":
        why = {"deployment": config.deployment.id, "reason": reason[:500]}
        store.change(begin, "end.begin", by, why, trusting=False)
    figures.freeze(config)
    step("reading what must not be found afterwards")
    needles = _needles(config)
    problems: list[str] = []
    destroyer = _Destroyer(store, step, problems)
    destroyer.destroy("sealing key", config.watchlist.key)
    for path in _list_files(config):
        destroyer.destroy("sealed watchlist" if path == config.watchlist.file else "part of the watchlist", path)
    _clear_runtime(destroyer)
    for path in sorted(store.state_dir.glob(".*.tmp")):
        destroyer.destroy("temporary file", path)
    destroyer.settle()
    step("searching every file of state, runtime and temporary folders")
    result = _look(config, needles)
    problems += [f"{finding.path} still holds the {finding.needle}." for finding in result.findings]
    problems += [f"{path} is still there." for path in (config.watchlist.key, *_list_files(config)) if _exists(path)]
    for name in needles:
        needles[name] = b""
    details: dict[str, Any] = {"files": result.files, "bytes": result.bytes_read, "searched_for": sorted(needles)}
    details |= {"found": len(result.findings), "unread": len(result.unread)}
    details |= {"unread_examples": [f"{path}: {why}"[:200] for path, why in result.unread[:5]]}
    store.audit.append(Act(act="wipe.scan", by=by, details=details))
    return _finish(config, store, problems, now, step)


def _finish(config: Config, store: Store, problems: list[str], now: datetime | None, step: Step) -> Ended:
    ended_at = now or utc_now()
    ended_at = ended_at.replace(microsecond=ended_at.microsecond // 1000 * 1000)  # as the state holds it
    left = [path for path in (config.watchlist.key, *_list_files(config)) if _exists(path)]

    def finish(state: DeploymentState | None) -> DeploymentState:
        state = state or DeploymentState(deployment=config.deployment.id, opened_at=ended_at)
        purge_at = ended_at + timedelta(hours=config.alerts.keep_hours)
        # With something left the end is not over: the next call tries again.
        phase = "ending" if left else "ended"
        return state.model_copy(update={"phase": phase, "ended_at": ended_at, "purge_at": purge_at})

    step("writing the certificate")
    details = {"deployment": config.deployment.id, "complete": not problems, "problems": problems[:20]}
    state = store.change(finish, "end", "appliance", details, trusting=False)
    certificate.write(config, store)
    return Ended(state.deployment, ended_at, False, not problems, tuple(problems))


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _list_files(config: Config) -> list[Path]:
    from appliance.watchlist.sealed import companions

    return list(dict.fromkeys([config.watchlist.file, *companions(config.watchlist.file)]))


class _Destroyer:
    """Destroys files one by one, each with its acts in the audit record."""

    def __init__(self, store: Store, step: Step, problems: list[str]) -> None:
        self._store = store
        self._step = step
        self._problems = problems

    def destroy(self, what: str, path: Path) -> None:
        """Overwrite and remove a file (and what a link points to); a folder with everything in it."""
        if not _exists(path):
            return
        if path.is_dir() and not path.is_symlink():
            for item in sorted(path.iterdir()):
                self.destroy(what, item)
            path.rmdir()
            return
        self._step(f"destroying the {what} {path}")
        facts: dict[str, Any] = {"what": what, "path": str(path)}
        target = path.resolve() if path.is_symlink() else path
        if target.is_file():
            facts["bytes"] = target.stat().st_size
            if what == "sealed watchlist":
                facts["sha256"] = _sha256(target)
        self._record("begin", facts)
        try:
            if path.is_symlink():
                path.unlink()
            if target.exists() or target.is_symlink():
                if stat.S_ISREG(target.stat().st_mode):
                    target.chmod(0o600)
                    shred(target)
                else:
                    target.unlink()
        except OSError as error:
            self._problems.append(f"{path} could not be destroyed: {error.strerror}.")
            return
        self._record("done", facts)

    def settle(self) -> None:
        """Record as done what an interrupted end had begun and is gone."""
        for item in certificate.wiped(self._store.audit):
            if not item.done and not _exists(Path(item.path)):
                facts = {"what": item.what, "path": item.path, "bytes": item.bytes, "continued": True}
                self._record("done", facts)

    def _record(self, stage: str, facts: Mapping[str, Any]) -> None:
        self._store.audit.append(Act(act="wipe", by="appliance", details={**facts, "stage": stage}))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _temporary_roots() -> list[Path]:
    roots = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108  (looked at, not used)
    return [root for root in dict.fromkeys(Path(name) for name in roots if name) if root.is_dir()]


def _runtime_folders() -> list[Path]:
    folders = []
    for root in _temporary_roots():
        for folder in root.glob(_RUNTIME_GLOB):
            with contextlib.suppress(OSError):
                if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                    folders.append(folder)
    return folders


def _clear_runtime(destroyer: _Destroyer) -> None:
    """Destroy the runtime folders of runs that are over: those whose lock nobody holds."""
    for folder in _runtime_folders():
        lock_path = folder / "lock"
        if not lock_path.is_file():
            continue
        lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                destroyer.destroy("runtime folder's file", folder)
        finally:
            os.close(lock)


def _bech32_bytes(text: str) -> bytes:
    """The bytes of a bech32 string, its checksum left off (BIP 173); the age format writes keys so."""
    data = [_BECH32.find(letter) for letter in text.lower().rpartition("1")[2]][:-6]
    if min(data, default=-1) < 0:
        return b""
    number = 0
    for value in data:
        number = number << 5 | value
    spare = len(data) * 5 % 8
    return (number >> spare).to_bytes(len(data) * 5 // 8)


def _needles(config: Config) -> dict[str, bytes]:
    """The bytes of the secret key, and pieces of the sealed file, as far as they are there still."""
    needles: dict[str, bytes] = {}
    with contextlib.suppress(OSError):
        for line in config.watchlist.key.read_bytes().splitlines():
            if line.startswith(b"AGE-SECRET-KEY-1"):
                needles["sealing key (as text)"] = line.strip()
                needles["sealing key (its bytes)"] = _bech32_bytes(line.strip().decode("ascii", "replace"))
    with contextlib.suppress(OSError), config.watchlist.file.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for place, at in (("middle", size // 2), ("end", size - _NEEDLE_BYTES)):
            file.seek(max(0, at))
            needles[f"sealed watchlist ({place})"] = file.read(_NEEDLE_BYTES)
    return {name: needle for name, needle in needles.items() if len(needle) >= 16}


def _look(config: Config, needles: Mapping[str, bytes]) -> Scan:
    if not needles:
        return Scan()
    runtime = _runtime_folders()
    result = scan([config.alerts.state_dir, *runtime], needles)
    beside = {config.watchlist.file.parent, config.watchlist.key.parent} - {config.alerts.state_dir}
    result += scan(sorted(beside), needles, recursive=False)
    seen = {finding.path for finding in result.findings}
    other = scan(_temporary_roots(), needles, budget=Budget())
    other.findings = [finding for finding in other.findings if finding.path not in seen]
    result += other
    return result


def settle(config: Config, *, now: datetime | None = None, step: Step = lambda _: None) -> list[str]:
    """What an appliance owes that was off when it was due; for the start of `lfr run`, and for a timer.

    An interrupted end is continued; a deployment that was running and whose window is over, or whose authority was
    withdrawn, is ended; alerts whose time is over are purged. A deployment that never started is left alone.

    Returns
    -------
    What was done, a sentence each.
    """
    from appliance.deployment import authority

    now = now or utc_now()
    store = Store(config.alerts.state_dir)
    state = store.peek()
    done: list[str] = []
    running = holder(config.alerts.state_dir)
    if running not in (None, os.getpid()):
        return done
    if state is not None and state.deployment == config.deployment.id:
        begun = state.phase == "ending"
        over = state.phase == "running" and authority.window(config, state).at(now) == "ended"
        if begun or over or (state.revocation is not None and state.phase in ("waiting", "running")):
            reason = state.end_reason or "the end time came while the appliance was off"
            if state.revocation is not None and not begun:
                reason = f"revoked by {state.revocation.by}: {state.revocation.reason}"
            end(config, state.end_by or "appliance", reason, now=now, step=step)
            done.append(f"Ended {state.deployment}: {reason}.")
    purged = purge(config, now=now)
    if purged.alerts or purged.destroyed:
        done.append(purged.sentence)
    return done


@dataclass(frozen=True, slots=True)
class Purged:
    """What `purge` did, and until when alerts are kept (None: none are)."""

    alerts: int
    destroyed: bool
    kept_until: datetime | None

    @property
    def sentence(self) -> str:
        """The same for a person."""
        if self.destroyed:
            return f"{self.alerts} alerts were purged; the journal and its key are destroyed."
        until = f"alerts are kept until {utc_text(self.kept_until)}" if self.kept_until else "no alerts are kept"
        return f"{self.alerts} alerts were purged; {until}."


def purge_due(config: Config) -> datetime | None:
    """When the last alert must be gone; None when the deployment has not ended or nothing is kept."""
    state = Store(config.alerts.state_dir).peek()
    if state is None or state.phase != "ended" or not figures.journal_exists(config):
        return None
    return state.purge_at


def purge(config: Config, by: str = "appliance", *, everything: bool = False, now: datetime | None = None) -> Purged:
    """Delete alerts whose time is over; once the deployment has ended and none is left, the journal and its key too.

    Only while no hub runs (a running hub purges by itself). The counts for the report are kept.

    Raises
    ------
    LfrError
        The appliance is running, or `everything` is asked for before the deployment has ended.
    """
    from appliance.alerts.journal import Journal, destroy_files

    now = now or utc_now()
    state_dir = config.alerts.state_dir
    if holder(state_dir) not in (None, os.getpid()):
        raise LfrError("The appliance is running and purges by itself.", "End it first: lfr end.")
    store = Store(state_dir)
    state = store.peek()
    ended = state is not None and state.phase in ("ended", "purged")
    if everything and not ended:
        raise LfrError("The deployment has not ended.", "End it first: lfr end.")
    if not figures.journal_exists(config):
        if ended and state is not None and state.phase == "ended":
            _mark_purged(config, store, by, now, 0)
        return Purged(0, False, None)
    figures.freeze(config)
    count, left = 0, figures.alerts_held(config)
    due = everything or (state is not None and state.purge_at is not None and now >= state.purge_at)
    if not (ended and due):
        with Journal.open(state_dir) as journal:
            ids = journal.purge(now - timedelta(hours=config.alerts.keep_hours))
        count, left = len(ids), left - len(ids)
        if ids:
            store.audit.append(Act(act="purge", by=by, details={"alerts": count, "ids": ids[:500]}))
    if ended and (due or left == 0):
        destroy_files(state_dir)
        _mark_purged(config, store, by, now, left)
        return Purged(count + left, True, None)
    return Purged(count, False, state.purge_at if ended and state is not None else None)


def _mark_purged(config: Config, store: Store, by: str, now: datetime, count: int) -> None:
    def change(state: DeploymentState | None) -> DeploymentState:
        state = state or DeploymentState(deployment=config.deployment.id, opened_at=now)
        return state.model_copy(update={"phase": "purged", "purged_at": now})

    store.change(change, "purge", by, {"alerts": count, "journal": "destroyed"}, trusting=False)
    sync_dir(store.state_dir)
    certificate.write(config, store)
