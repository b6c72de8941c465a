"""The end of a deployment: stop, destroy, check, certify, report. Interrupted anywhere, the next call continues.

Each destruction is an act in the audit record, before (`stage: begin`) and after (`stage: done`); the certificate is
made from these acts, so that one whose `end` was cut off by a power failure lists everything all the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from appliance.audit.record import Act
from appliance.config.live import Config
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import AuthorityError, JournalError, LfrError
from appliance.deployment import running
from appliance.deployment.ending import certificate, destroy
from appliance.deployment.ending.destroy import Destroyer, exists
from appliance.deployment.ending.search import Budget, Scan, scan
from appliance.deployment.report import counts, report
from appliance.deployment.running import Step
from appliance.deployment.state import DeploymentState, Store, sync_dir
from appliance.gallery.watchlist.companions import PAGE_SUFFIX, companions

_NEEDLE_BYTES: Final = 48
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


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
    own = running.holder(state_dir) == os.getpid()
    with running.alone(state_dir, 1.0 if own else running.STOP_S + running.KILL_S + 30.0):
        state = _ours(config, store)
        if state is not None and state.phase in ("ended", "purged") and state.ended_at is not None:
            return _already(config, store, state, by)
        running.stop(state_dir, step)
        with running.no_run(state_dir):
            return _end(config, store, by, reason, now, step)


def _ours(config: Config, store: Store) -> DeploymentState | None:
    """The state; None where it cannot be believed, so that nothing written into it talks the end out of its work."""
    state = store.believed()
    if state is None:
        _refuse_anothers(config, store)
        return None
    if state.deployment == config.deployment.id:
        return state
    if state.phase == "purged":
        return store.take_up(config)
    raise _belongs(store, state.deployment, config)


def _refuse_anothers(config: Config, store: Store) -> None:
    """Whose the folder is, by the audit record, where the state does not say it."""
    opened = store.audit.newest(lambda record: record.act == "deployment.open")
    named = str(opened.details.get("deployment")) if opened else config.deployment.id
    if named != config.deployment.id and store.path.exists():
        raise _belongs(store, named, config)


def _belongs(store: Store, deployment: str, config: Config) -> AuthorityError:
    return AuthorityError(
        f"{store.state_dir} belongs to the deployment {deployment}, not to {config.deployment.id}.",
        "End it with its own configuration.",
    )


def _own_state(config: Config, state: DeploymentState | None, now: datetime) -> DeploymentState:
    """The state that the end changes; a fresh one where there is none, or one that names another deployment."""
    if state is not None and state.deployment == config.deployment.id:
        return state
    return DeploymentState(deployment=config.deployment.id, opened_at=now)


def _already(config: Config, store: Store, state: DeploymentState, by: str) -> Ended:
    found = certificate.remains(store.audit)
    if found and not any(map(exists, found)):
        details = {"deployment": config.deployment.id, "gone": [str(path) for path in found]}
        store.audit.append(Act(act="end.cleared", by=by, details=details))
        certificate.write(config, store)
        report.write(config)
    left = [path for path in (config.watchlist.key, *_list_files(config)) if exists(path)]
    notes = tuple(f"{path} was put there after the end; it was not touched." for path in left)
    if not certificate.exists(config):
        certificate.write(config, store)
    made = certificate.load(config)
    problems = tuple(made.problems) if made else ()
    return Ended(state.deployment, state.ended_at or utc_now(), True, not problems, problems, notes)


def _end(config: Config, store: Store, by: str, reason: str, now: datetime | None, step: Step) -> Ended:
    moment = now or utc_now()

    def begin(state: DeploymentState | None) -> DeploymentState:
        return _own_state(config, state, moment).model_copy(
            update={"phase": "ending", "end_begun_at": moment, "end_by": by, "end_reason": reason[:500]}
        )

    state = store.peek()
    if state is None or state.phase != "ending":
        why = {"deployment": config.deployment.id, "reason": reason[:500]}
        store.change(begin, "end.begin", by, why, trusting=False)
    counts.freeze(config)
    step("reading what must not be found afterwards")
    needles = _needles(config)
    problems: list[str] = []
    shredder = Destroyer(store, step, problems)
    shredder.destroy("sealing key", config.watchlist.key)
    for path in _list_files(config):
        shredder.destroy("sealed watchlist" if path == config.watchlist.file else "watchlist's companion", path)
    destroy.clear_runtime(shredder)
    for path in sorted(store.state_dir.glob(".*.tmp")):
        shredder.destroy("temporary file", path)
    shredder.settle()
    step("searching every file of state, runtime and temporary folders")
    result = _look(config, needles)
    kept: dict[Path, list[str]] = {}
    for finding in result.findings:
        kept.setdefault(finding.path, []).append(finding.needle)
    problems += [f"{path} still holds the {' and the '.join(what)}." for path, what in kept.items()]
    problems += [f"{path} is still there." for path in (config.watchlist.key, *_list_files(config)) if exists(path)]
    for name in needles:
        needles[name] = b""
    details: dict[str, Any] = {"files": result.files, "bytes": result.bytes_read, "searched_for": sorted(needles)}
    details |= {"found": len(result.findings), "remains": [str(path) for path in kept][:100]}
    details |= {"unread": len(result.unread)}
    details |= {"unread_examples": [f"{path}: {why}"[:200] for path, why in result.unread[:5]]}
    store.audit.append(Act(act="wipe.scan", by=by, details=details))
    return _finish(config, store, problems, now, step)


def _finish(config: Config, store: Store, problems: list[str], now: datetime | None, step: Step) -> Ended:
    ended_at = now or utc_now()
    ended_at = ended_at.replace(microsecond=ended_at.microsecond // 1000 * 1000)  # as the state holds it
    left = [path for path in (config.watchlist.key, *_list_files(config)) if exists(path)]

    def finish(state: DeploymentState | None) -> DeploymentState:
        purge_at = ended_at + timedelta(hours=config.alerts.keep_hours)
        # With something left the end is not over: the next call tries again.
        phase = "ending" if left else "ended"
        update = {"phase": phase, "ended_at": ended_at, "purge_at": purge_at}
        return _own_state(config, state, ended_at).model_copy(update=update)

    step("writing the certificate")
    details = {"deployment": config.deployment.id, "complete": not problems, "problems": problems[:20]}
    state = store.change(finish, "end", "appliance", details, trusting=False)
    certificate.write(config, store)
    step("writing the report")
    notes: tuple[str, ...] = ()
    try:
        report.write(config, now=now)
    except LfrError as error:  # a damaged journal must not undo an end that is complete
        notes = (f"The report could not be written: {error}",)
    return Ended(state.deployment, ended_at, False, not problems, tuple(problems), notes)


def destroy_page(config: Config, step: Step = lambda _: None) -> list[str]:
    """Destroy the quality report beside the list: from the start of recognition on, faces lie on the disk only sealed.

    Returns
    -------
    What is wrong where it could not be destroyed; the end tries again.
    """
    problems: list[str] = []
    file = config.watchlist.file
    shredder = Destroyer(Store(config.alerts.state_dir), step, problems)
    shredder.destroy(certificate.PAGE, file.with_name(file.name + PAGE_SUFFIX))
    return problems


def _list_files(config: Config) -> list[Path]:
    return list(dict.fromkeys([config.watchlist.file, *companions(config.watchlist.file)]))


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
    wanted = (config.watchlist.key, config.watchlist.file)
    key, sealed = (path if path.is_file() else Path(os.devnull) for path in wanted)  # a pipe would be waited for
    with contextlib.suppress(OSError):
        for line in key.read_bytes().splitlines():
            if line.startswith(b"AGE-SECRET-KEY-1"):
                needles["sealing key (as text)"] = line.strip()
                needles["sealing key (its bytes)"] = _bech32_bytes(line.strip().decode("ascii", "replace"))
    with contextlib.suppress(OSError), sealed.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for place, at in (("middle", size // 2), ("end", size - _NEEDLE_BYTES)):
            file.seek(max(0, at))
            needles[f"sealed watchlist ({place})"] = file.read(_NEEDLE_BYTES)
    return {name: needle for name, needle in needles.items() if len(needle) >= 16}


def _look(config: Config, needles: Mapping[str, bytes]) -> Scan:
    if not needles:
        return Scan()
    runtime = destroy.runtime_folders()
    result = scan([config.alerts.state_dir, *runtime], needles)
    beside = {config.watchlist.file.parent, config.watchlist.key.parent} - {config.alerts.state_dir}
    result += scan(sorted(beside), needles, recursive=False)
    seen = {finding.path for finding in result.findings}
    other = scan(destroy.temporary_roots(), needles, budget=Budget())
    other.findings = [finding for finding in other.findings if finding.path not in seen]
    result += other
    return result


def settle(config: Config, *, now: datetime | None = None, step: Step = lambda _: None) -> list[str]:
    """What an appliance owes that was off when it was due; for the start of `lfr run`, and for a timer.

    An interrupted end is continued; a deployment that was running and whose window is over, or whose authority was
    withdrawn, is ended; alerts whose time is over are purged. A deployment that never started is left alone. Where the
    state is gone or cannot be believed, the audit record says whether recognition started, and the configuration when
    it was to end.

    Returns
    -------
    What was done, a sentence each.
    """
    from appliance.deployment import authority

    now = now or utc_now()
    store = Store(config.alerts.state_dir)
    state = store.believed()
    done: list[str] = []
    pid = running.holder(config.alerts.state_dir)
    if pid not in (None, os.getpid()):
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
    elif state is None and _left_running(config, store) and authority.window(config).at(now) == "ended":
        reason = "the end time came while the appliance was off, and the state of the deployment cannot be believed"
        end(config, "appliance", reason, now=now, step=step)
        done.append(f"Ended {config.deployment.id}: {reason}.")
    purged = purge(config, now=now)
    if purged.alerts or purged.destroyed:
        done.append(purged.sentence)
    return done


def _left_running(config: Config, store: Store) -> bool:
    """Whether the last that the audit record tells of this deployment is a start, or an end that was not finished."""
    last = store.audit.newest(lambda record: record.act in ("deployment.start", "end.begin", "end"))
    return last is not None and last.act != "end" and last.details.get("deployment") == config.deployment.id


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
    """When the last alert must be gone; None when the deployment has not ended or no alert is kept."""
    state = Store(config.alerts.state_dir).peek()
    if state is None or state.phase != "ended":
        return None
    try:
        return state.purge_at if counts.alerts_held(config) else None
    except JournalError:
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
    if running.holder(state_dir) not in (None, os.getpid()):
        raise LfrError("The appliance is running and purges by itself.", "End it first: lfr end.")
    store = Store(state_dir)
    state = store.peek()
    ended = state is not None and state.phase in ("ended", "purged")
    if everything and not ended:
        raise LfrError("The deployment has not ended.", "End it first: lfr end.")
    if not counts.journal_exists(config):
        if ended and state is not None and state.phase == "ended":
            _mark_purged(config, store, by, now, 0)
        return Purged(0, False, None)
    counts.freeze(config)
    due = everything or (state is not None and state.purge_at is not None and now >= state.purge_at)
    count = left = 0
    try:
        left = counts.alerts_held(config)
    except JournalError:
        if not (ended and due):
            raise  # else it cannot be read, but its time is over: it is destroyed all the same
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
