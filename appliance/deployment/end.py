"""The end of a deployment: stop, destroy, check, certify, report. Interrupted anywhere, the next call continues.

Each destruction is an act in the audit record, before (`stage: begin`) and after (`stage: done`); the certificate is
made from these acts, so that one whose `end` was cut off by a power failure lists everything all the same.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import End, EndBegin, EndCleared, WipeScan
from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.core.errors import AuthorityError, LfrError
from appliance.deployment import purge, running
from appliance.deployment.ending import certificate, destroy, remains
from appliance.deployment.ending.destroy import Destroyer, exists
from appliance.deployment.report import counts, report
from appliance.deployment.running import Step
from appliance.deployment.state import DeploymentState
from appliance.deployment.store import Store
from appliance.gallery.watchlist.companions import PAGE_SUFFIX


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
    kept_until
        When the last alert must be gone; None where no alert is kept.
    purged
        What was deleted at once, no alert having to be kept and nothing running that could still show one.
    files
        Certificate and reports as they were written.
    """

    deployment: str
    ended_at: datetime
    already: bool
    complete: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kept_until: datetime | None = None
    purged: purge.Purged | None = None
    files: tuple[Path, ...] = field(default=())


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
    companions, runtime folders and temporary files. Alerts stay until their time (`purge`); where there is none, the
    journal goes now. No damage to the deployment's state prevents the end. Called again, it continues what was
    interrupted, or does nothing.

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
        if state is not None and state.ended and state.ended_at is not None:
            done = _ended_before(config, store, state, by)
        else:
            running.stop(state_dir, step)
            with running.no_run(state_dir):
                _begin(config, store, by, reason, now)
                left = _destroy(config, store, by, step)
                done = _finish(config, store, left, now, step)
    return _purge_what_need_not_stay(config, done, now)


def _ours(config: Config, store: Store) -> DeploymentState | None:
    """The state; None where it cannot be believed, so that nothing written into it talks the end out of its work."""
    state = store.load_or_none()
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


def _ended_before(config: Config, store: Store, state: DeploymentState, by: str) -> Ended:
    found = certificate.remains(store.audit)
    if found and not any(map(exists, found)):
        gone = [str(path) for path in found]
        store.audit.append(EndCleared(deployment=config.deployment.id, gone=gone), by)
        certificate.write(config, store)
        report.write(config)
    left = destroy.left_over(config)
    notes = tuple(f"{path} was put there after the end; it was not touched." for path in left)
    if not certificate.exists(config):
        certificate.write(config, store)
    made = certificate.load(config)
    problems = tuple(made.problems) if made else ()
    return Ended(state.deployment, state.ended_at or utc_now(), True, not problems, problems, notes)


def _begin(config: Config, store: Store, by: str, reason: str, now: datetime | None) -> None:
    moment = now or utc_now()

    def begin(state: DeploymentState | None) -> DeploymentState:
        return _own_state(config, state, moment).model_copy(
            update={"phase": "ending", "end_begun_at": moment, "end_by": by, "end_reason": reason[:500]}
        )

    state = store.read_unverified()
    if state is None or state.phase != "ending":
        act = EndBegin(deployment=config.deployment.id, reason=reason[:500])
        store.change(begin, act, by, trusting=False)
    counts.freeze(config)


@dataclass(frozen=True, slots=True)
class _Left:
    """What could not be destroyed, a sentence each, and which files still hold what, by their paths."""

    problems: list[str]
    remains: dict[str, list[str]]


def _destroy(config: Config, store: Store, by: str, step: Step) -> _Left:
    """Destroy, and look whether it is gone."""
    step("reading what must not be found afterwards")
    needles = remains.needles_of(config)
    problems: list[str] = []
    shredder = Destroyer(store, step, problems)
    shredder.destroy("sealing key", config.watchlist.key)
    for path in destroy.sealed_files(config):
        shredder.destroy("sealed watchlist" if path == config.watchlist.file else "watchlist's companion", path)
    destroy.clear_runtime(shredder)
    for path in sorted(store.state_dir.glob(".*.tmp")):
        shredder.destroy("temporary file", path)
    shredder.record_what_is_gone()
    step("searching every file of state, runtime and temporary folders")
    result = remains.look(config, needles)
    kept: dict[str, list[str]] = {}
    for finding in result.findings:
        kept.setdefault(str(finding.path), []).append(finding.needle)
    problems += [f"{path} is still there." for path in destroy.left_over(config)]
    for name in needles:
        needles[name] = b""
    searched = WipeScan(
        files=result.files,
        bytes=result.bytes_read,
        searched_for=sorted(needles),
        found=len(result.findings),
        remains=list(kept)[:100],
        unread=len(result.unread),
        unread_examples=[f"{path}: {why}"[:200] for path, why in result.unread[:5]],
    )
    store.audit.append(searched, by)
    return _Left(problems, kept)


def _finish(config: Config, store: Store, left: _Left, now: datetime | None, step: Step) -> Ended:
    ended_at = now or utc_now()
    ended_at = ended_at.replace(microsecond=ended_at.microsecond // 1000 * 1000)  # as the state holds it
    still_there = bool(destroy.left_over(config))

    def finish(state: DeploymentState | None) -> DeploymentState:
        purge_at = ended_at + timedelta(hours=config.alerts.keep_hours)
        # With something left the end is not over: the next call tries again.
        phase = "ending" if still_there else "ended"
        update = {"phase": phase, "ended_at": ended_at, "purge_at": purge_at}
        return _own_state(config, state, ended_at).model_copy(update=update)

    step("writing the certificate")
    act = End(
        deployment=config.deployment.id,
        complete=not (left.problems or left.remains),
        problems=left.problems[:20],
        remains=dict(itertools.islice(left.remains.items(), 20)),
    )
    problems = [*left.problems, *itertools.starmap(certificate.still_holds, left.remains.items())]
    state = store.change(finish, act, APPLIANCE, trusting=False)
    certificate.write(config, store)
    step("writing the report")
    notes: tuple[str, ...] = ()
    try:
        report.write(config, now=now)
    except LfrError as error:  # a damaged journal must not undo an end that is complete
        notes = (f"The report could not be written: {error}",)
    return Ended(state.deployment, ended_at, False, not problems, tuple(problems), notes)


def _purge_what_need_not_stay(config: Config, done: Ended, now: datetime | None) -> Ended:
    """A running appliance purges by itself, when it is over."""
    kept = purge.due_at(config)
    purged = None
    if kept is None and done.complete and running.holder(config.alerts.state_dir) is None:
        purged = purge.purge(config, now=now)
    as_json, as_html = certificate.paths(config)
    files = (as_html, as_json, *report.paths(config.alerts.state_dir))
    return replace(done, kept_until=kept, purged=purged, files=tuple(path for path in files if path.exists()))


def destroy_quality_report(config: Config, step: Step = lambda _: None) -> list[str]:
    """Destroy the quality report beside the list: from the start of recognition on, faces lie on the disk only sealed.

    Returns
    -------
    What is wrong where it could not be destroyed; the end tries again.
    """
    problems: list[str] = []
    file = config.watchlist.file
    shredder = Destroyer(Store(config.alerts.state_dir), step, problems)
    shredder.destroy(certificate.QUALITY_REPORT, file.with_name(file.name + PAGE_SUFFIX))
    return problems
