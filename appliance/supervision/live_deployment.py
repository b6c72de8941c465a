"""The deployment as the supervisor sees it, for real: state, audit record, watchlist, journal and end.

See `supervision.deployment_port.DeploymentPort`, which this implements.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from appliance.alerts.journal import Journal
from appliance.alerts.messages import new_id
from appliance.audit.record import IDS_PER_LINE, record_change, sink
from appliance.camera.settings import CameraSettings
from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.core.errors import AuthorityError, JournalError, LfrError
from appliance.deployment import authority, end, guard
from appliance.deployment.report import counts
from appliance.deployment.state import DeploymentState, Store, Tally, UsedList, add_list
from appliance.gallery.watchlist.sealed import WatchlistPolicy, open_sealed
from appliance.stream.settings import HubSettings
from appliance.supervision.deployment_port import GuardFacts, ListFacts, Window
from appliance.supervision.provider_proof import prove_provider
from appliance.supervision.workers import WorkerSpec
from appliance.vision.models import EmbedderEntry, load_manifest, read_ready

log = structlog.get_logger()
BY = "appliance"


class LiveDeployment:
    """Implements `supervision.deployment_port.DeploymentPort` on the configuration's state folder.

    Parameters
    ----------
    config
        The configuration.
    console
        How the console's process is made, from the runtime folder; a room above knows. None: there is no console.
    simulated
        Kinds of source that a room above offers: see `camera.sources.open.open_source`.
    """

    def __init__(
        self,
        config: Config,
        *,
        console: Callable[[Path], WorkerSpec | None] | None = None,
        simulated: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.run_id = new_id()
        self._console = console
        self._simulated = dict(simulated or {})
        self._store = Store(config.alerts.state_dir)
        self._embedder: EmbedderEntry | None = None
        self._detector_ref = ""
        self._proven = False
        self._record: UsedList | None = None
        self._counted: dict[str, dict[str, int]] = {}
        self._tally = Tally()
        self._tally_known = False

    def prepare(self) -> None:
        """Take up the record of the deployment; an ended one is left as it is."""
        self._store.take_up(self.config)

    def window(self) -> Window:
        """The window as state and configuration have it now; damage to the state is lost authority."""
        now = utc_now()
        state = self._store.peek()
        found = authority.window(self.config, state if state and state.deployment == self._id else None)
        over = authority.lost(self.config, self._store, now)
        return Window(found.starts, found.ends, "" if now >= found.ends and _standing(state) else over)

    @property
    def _id(self) -> str:
        return self.config.deployment.id

    def require(self) -> None:
        """Models are there, unaltered and run where a name says they must, and the record is complete."""
        manifest = load_manifest(self.config.models.dir)
        detector = manifest.detector(self.config.models.detector)
        self._embedder = manifest.embedder(self.config.models.embedder)
        for asset in (detector, self._embedder):
            read_ready(manifest, asset)
        self._detector_ref = detector.ref
        authority.require(self.config, self._store.load(), utc_now(), self._embedder.threshold)
        if not self._proven:
            prove_provider(self.config.models)
            self._proven = True

    def started(self) -> None:
        """Record the start, with models and thresholds and who set them."""
        matching, embedder, now = self.config.matching, self._known_embedder(), utc_now()
        threshold = embedder.threshold if matching.threshold is None else matching.threshold
        models = {"detector": self._detector_ref, "embedder": embedder.ref}

        def change(state: DeploymentState | None) -> DeploymentState:
            if state is None:
                raise AuthorityError("The deployment's state is gone.")
            return state.model_copy(
                update={
                    "phase": "running",
                    "started_at": state.started_at or now,
                    "starts": state.starts or self.config.deployment.starts,
                    "ends": state.ends or self.config.deployment.ends,
                    "models": models,
                    "threshold": threshold,
                    "model_threshold": embedder.threshold,
                    "provider": self.config.models.provider,
                }
            )

        cameras = [camera.name for camera in self.config.cameras]
        details: dict[str, Any] = {"deployment": self._id, "cameras": cameras, "run": self.run_id, **models}
        self._store.change(change, "deployment.start", BY, details)
        rules = {
            name: {"threshold": rule.threshold, "by": rule.threshold_set_by, "reason": rule.threshold_reason}
            for name, rule in matching.categories.items()
            if rule.threshold is not None
        }
        self._destroy_page()
        self.record(
            "threshold.set",
            threshold=threshold,
            model_threshold=embedder.threshold,
            set_by=matching.threshold_set_by or "the model's own",
            reason=matching.threshold_reason,
            categories=rules,
        )

    def _destroy_page(self) -> None:
        for problem in end.destroy_page(self.config):
            log.error("the quality report shows faces in clear and is still there", problem=problem)

    def _known_embedder(self) -> EmbedderEntry:
        if self._embedder is None:
            self._embedder = load_manifest(self.config.models.dir).embedder(self.config.models.embedder)
        return self._embedder

    def open_list(self, path: Path) -> ListFacts:
        """Open a sealed list, remember ids and counts, and overwrite the rest."""
        section, newest = self.config.watchlist, self._store.newest_sequence(self._id)
        embedder_ref = self._known_embedder().ref
        policy = WatchlistPolicy.of(section, self._id, embedder_ref=embedder_ref, min_sequence=newest)
        try:
            opened = open_sealed(path, section.key, policy)
        except LfrError as error:
            # The copy in the runtime folder is what was read; the operator knows the file by its own name.
            raise type(error)(str(error).replace(str(path), str(section.file))) from None
        try:
            self._record = UsedList.of(
                opened.entries,
                opened.digest,
                sequence=opened.sequence,
                photos=len(opened.portraits),
                builder=opened.builder,
                approvals=[approval.name for approval in opened.approvals],
                embedder=opened.embedder,
            )
            return ListFacts(
                digest=opened.digest,
                sequence=opened.sequence,
                ids=frozenset(entry.id for entry in opened.entries),
                counts=dict(self._record.by_category),
                expires_at=opened.expires_at,
                details={"expired_ids": list(opened.expired_ids)},
            )
        finally:
            opened.wipe()

    def list_opened(self, facts: ListFacts, before: ListFacts | None) -> None:
        """Record a list that is in use, and what changed from the one before."""
        found = self._record
        if found is None:
            return
        details = found.model_dump(mode="json", exclude={"opened_at", "blue_ids"})

        def change(state: DeploymentState | None) -> DeploymentState:
            if state is None:
                raise AuthorityError("The deployment's state is gone.")
            return add_list(state, found)

        expired = facts.details.get("expired_ids", [])
        details |= {"expired": len(expired), "expired_ids": expired[:IDS_PER_LINE]}
        self._store.change(change, "watchlist.open", BY, details)
        if before is not None:
            self._destroy_page()
            added, removed = sorted(facts.ids - before.ids), sorted(before.ids - facts.ids)
            same = {"digest": facts.digest, "sequence": facts.sequence, "replaces": before.digest}
            record_change(self._store.audit, BY, added, removed, same)

    def record(self, act: str, **details: Any) -> None:
        """Write one act of the appliance."""
        sink(self._store.state_dir)(act, BY, details)

    def people_base(self) -> dict[str, int]:
        """What earlier runs counted."""
        self._load_tally()
        return {name: camera.people_seen for name, camera in self._tally.cameras.items()}

    def uncertain_base(self) -> int:
        """Of them, how many may have been counted before."""
        self._load_tally()
        return self._tally.uncertain

    def _load_tally(self) -> None:
        if not self._tally_known:
            self._tally = Tally.load(self.config.alerts.state_dir)
            if self._tally.deployment != self._id:
                self._tally = Tally(deployment=self._id)
            self._tally_known = True

    def save_tally(self, seen: dict[str, dict[str, int]]) -> None:
        """Add what was counted since the last call."""
        self._load_tally()
        for camera, counted in seen.items():
            before = self._counted.get(camera, {})
            new = {key: max(0, count - before.get(key, 0)) for key, count in counted.items()}
            people = new.pop("people", 0)
            self._tally.add(camera, people, None, **new)
            self._counted[camera] = dict(counted)
        self._tally.save(self.config.alerts.state_dir)

    def guard(self, people_seen: int, uncertain: int) -> GuardFacts:
        """Judge what officers decided, as the journal has it."""
        try:
            with Journal.open_reader(self.config.alerts.state_dir) as journal:
                false_alerts = journal.tally(self._id).false_alerts
        except JournalError as error:
            log.debug("the journal cannot be read yet", reason=str(error))
            return GuardFacts()
        section = self.config.guard
        found = guard.assess(
            false_alerts, people_seen, section.false_alert_rate, section.on_breach, uncertain=uncertain
        )
        unknown = found.state == "unknown"
        interval = None if unknown else found.interval
        return GuardFacts(found.rate, interval, found.state == "breach", found.stop, found.sentence, unknown)

    def end(self, reason: str) -> None:
        """Destroy everything; raises `LfrError` naming what could not be destroyed."""
        done = end.end(self.config, BY, reason, step=lambda what: log.info("end", step=what))
        if not done.complete:
            raise LfrError("Not everything could be destroyed: " + " ".join(done.problems))

    def kept_until(self) -> datetime | None:
        """From the state of an ended deployment."""
        return end.purge_due(self.config)

    def purge(self) -> None:
        """Delete what is due, and say so."""
        log.info("purge", result=end.purge(self.config).sentence)

    def hub_spec(self, runtime: Path) -> WorkerSpec:
        """The hub, which keeps the report's counts before it purges what they are counted from."""
        keep = functools.partial(counts.keep, self.config)
        settings = HubSettings.from_config(self.config, runtime, sink, keep)
        return WorkerSpec("hub", "appliance.stream.hub:serve", settings)

    def console_spec(self, runtime: Path) -> WorkerSpec | None:
        """The console, a room above this one: as it was given."""
        return self._console(runtime) if self._console is not None else None

    def camera_spec(self, name: str, runtime: Path, sealed: Path) -> WorkerSpec:
        """A camera that opens the accepted copy of the list."""
        camera = next(camera for camera in self.config.cameras if camera.name == name)

        section = self.config.watchlist
        sealed_list = section.model_copy(
            update={"file": sealed, "builders": section.builders_dir, "approvers": section.approvers_dir}
        )

        def settings() -> CameraSettings:
            return CameraSettings(
                camera=camera,
                models=self.config.models,
                matching=self.config.matching,
                redaction=self.config.redaction,
                watchlist=sealed_list,
                deployment=self._id,
                location=self.config.deployment.location,
                runtime=runtime,
                run_id=self.run_id,
                ends=authority.window(self.config, self._store.peek()).ends,
                simulated=self._simulated,
            )

        return WorkerSpec(f"camera/{name}", "appliance.camera.process:serve", settings)


def _standing(state: DeploymentState | None) -> bool:
    """Whether only the clock ended it."""
    return state is not None and state.revocation is None and state.phase in ("waiting", "running")
