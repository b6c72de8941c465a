"""The deployment as the supervisor sees it, for real: state, audit record, watchlist, journal and end.

See `supervision.deployment_port.DeploymentPort`, which this implements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import structlog

from appliance.alerts.journal import Journal
from appliance.audit.act import APPLIANCE as BY
from appliance.audit.act import IDS_PER_LINE
from appliance.audit.acts import DeploymentStart, ThresholdSet, WatchlistOpen
from appliance.audit.record import record_change
from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.core.errors import JournalError, LfrError
from appliance.deployment import authority, end, guard, purge
from appliance.deployment.authority import Window
from appliance.deployment.list_facts import OpenedList
from appliance.deployment.state import DeploymentState
from appliance.deployment.store import Store
from appliance.deployment.tally import RunningTally
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.supervision.deployment_port import GuardFacts
from appliance.supervision.list_opening import open_elsewhere
from appliance.supervision.provider_proof import prove_provider
from appliance.supervision.worker_specs import LiveSpecs
from appliance.supervision.workers import WorkerSpec
from appliance.vision.models import EmbedderEntry, check_ready, load_manifest

log = structlog.get_logger()


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
        self.specs = LiveSpecs(
            config, lambda: authority.window(config, self._store.read_unverified()).ends, console, simulated
        )
        self._store = Store(config.alerts.state_dir)
        self._embedder: EmbedderEntry | None = None
        self._detector_ref = ""
        self._proven = False
        self._tally = RunningTally(config.alerts.state_dir, config.deployment.id)

    def prepare(self) -> None:
        """Take up the record of the deployment; an ended one is left as it is."""
        self._store.take_up(self.config)

    def window(self) -> Window:
        """The window as state and configuration have it now; damage to the state is lost authority."""
        return authority.current_window(self.config, self._store, utc_now())

    @property
    def _id(self) -> str:
        return self.config.deployment.id

    def require(self) -> None:
        """Models are there, unaltered and run where a name says they must, and the record is complete."""
        manifest = load_manifest(self.config.models.dir)
        detector = manifest.detector(self.config.models.detector)
        self._embedder = manifest.embedder(self.config.models.embedder)
        for asset in (detector, self._embedder):
            check_ready(manifest, asset)
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

        def change(state: DeploymentState) -> DeploymentState:
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
        start = DeploymentStart(deployment=self._id, cameras=cameras, run=self.specs.run_id, **models)
        self._store.update(change, start, BY)
        rules = {
            name: {"threshold": rule.threshold, "by": rule.threshold_set_by, "reason": rule.threshold_reason}
            for name, rule in matching.categories.items()
            if rule.threshold is not None
        }
        self._destroy_page()
        thresholds = ThresholdSet(
            threshold=threshold,
            model_threshold=embedder.threshold,
            set_by=matching.threshold_set_by or "the model's own",
            reason=matching.threshold_reason,
            categories=rules,
        )
        self._store.audit.append(thresholds, BY)

    def _destroy_page(self) -> None:
        for problem in end.destroy_quality_report(self.config):
            log.error("the quality report shows faces in clear and is still there", problem=problem)

    def _known_embedder(self) -> EmbedderEntry:
        if self._embedder is None:
            self._embedder = load_manifest(self.config.models.dir).embedder(self.config.models.embedder)
        return self._embedder

    def open_list(self, path: Path) -> OpenedList:
        """Let a process of its own open a sealed list; remember ids and counts."""
        section, newest = self.config.watchlist, self._store.newest_sequence(self._id)
        embedder_ref = self._known_embedder().ref
        policy = WatchlistPolicy.of(section, self._id, embedder_ref=embedder_ref, min_sequence=newest)
        # A copy in the runtime folder is read; the operator knows the file by its own name.
        return open_elsewhere(path, section.key, policy, named=section.file)

    def list_opened(self, facts: OpenedList, before: OpenedList | None) -> None:
        """Record a list that is in use, and what changed from the one before."""
        details = facts.used.model_dump(mode="json", exclude={"opened_at", "blue_ids"})
        details |= {"expired": len(facts.expired_ids), "expired_ids": list(facts.expired_ids[:IDS_PER_LINE])}
        self._store.update(lambda state: state.with_list(facts.used), WatchlistOpen(**details), BY)
        if before is not None:
            self._destroy_page()
            added, removed = sorted(facts.ids - before.ids), sorted(before.ids - facts.ids)
            same = {"digest": facts.digest, "sequence": facts.sequence, "replaces": before.digest}
            record_change(self._store.audit, BY, added, removed, same)

    def people_base(self) -> dict[str, int]:
        """What earlier runs counted."""
        return self._tally.people_base()

    def uncertain_base(self) -> int:
        """Of them, how many may have been counted before."""
        return self._tally.uncertain_base()

    def save_tally(self, seen: dict[str, dict[str, int]]) -> None:
        """Add what was counted since the last call."""
        self._tally.keep(seen)

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
        return purge.due_at(self.config)

    def purge(self) -> None:
        """Delete what is due, and say so."""
        log.info("purge", result=purge.purge(self.config).sentence)
