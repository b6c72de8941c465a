"""Everything that would stop a deployment, looked at before it starts: `examine`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from appliance.config.live import Config
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import ModelError
from appliance.deployment import authority
from appliance.deployment.store import Store
from appliance.doctor import cameras, machine
from appliance.doctor.findings import Finding, guarded
from appliance.gallery.watchlist.companions import PAGE_SUFFIX
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.gallery.watchlist.sealed import open_sealed
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.gpu import gpu_present
from appliance.vision.models import Manifest, check_ready, load_manifest

LOOK_S = 2.5


class Doctor:
    """One examination.

    Parameters
    ----------
    config
        What is examined.
    look_s
        How long to look through each camera; 0 leaves the cameras alone.
    step
        Told what is looked at next.
    simulated
        Kinds of source that a room above offers: see `camera.sources.open.open_source`.
    """

    def __init__(
        self,
        config: Config,
        look_s: float = LOOK_S,
        step: Callable[[str], None] = lambda _: None,
        simulated: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self._simulated = simulated
        self._look_s = look_s
        self._step = step
        self._now = utc_now()
        self._manifest: Manifest | None = None
        self._eye: cameras.FaceLooker | None = None

    def examine(self) -> list[Finding]:
        """Every finding, in the order in which they would stop a deployment."""
        findings: list[Finding] = []
        for area, check in (
            ("record", self._record),
            ("window", self._window),
            ("models", self._models),
            ("provider", self._provider),
            ("watchlist", self._watchlist),
            ("secrets", lambda: machine.secrets(self.config)),
            ("disk", lambda: machine.disk(self.config)),
            ("memory", lambda: machine.memory(self.config)),
            ("ports", lambda: machine.ports(self.config)),
            ("console", lambda: machine.console(self.config)),
            ("clock", machine.clocks),
            ("cameras", self._cameras),
        ):
            self._step(area)
            findings += guarded(area, check)
        return findings

    def _record(self) -> Iterator[Finding]:
        state = Store(self.config.alerts.state_dir).load()
        if state is not None and state.deployment != self.config.deployment.id and state.phase != "purged":
            text = f"{self.config.alerts.state_dir} belongs to the deployment {state.deployment}."
            yield Finding("record", "fail", text, "End that one first, or name another alerts.state_dir.")
            return
        try:
            threshold = self._known_manifest().embedder(self.config.models.embedder).threshold
        except ModelError:
            threshold = self.config.matching.threshold or 0.0  # the models' own finding tells what is wrong
        problems = authority.check(self.config, state, self._now, threshold)
        for problem in problems:
            yield Finding("record", "fail", f"{problem.key}: {problem.missing}", problem.remedy)
        if not problems:
            officer = self.config.deployment.authorised_by
            yield Finding("record", "ok", f"complete; authorised by {officer.rank} {officer.name}")

    def _window(self) -> Iterator[Finding]:
        state = Store(self.config.alerts.state_dir).load()
        window = authority.window(self.config, state)
        stands = window.at(self._now)
        span = f"{utc_text(window.starts)[:16]} to {utc_text(window.ends)[:16]} UTC"
        if stands == "ended":
            yield Finding("window", "fail", f"The window is over: {span}.", "A new deployment needs a new record.")
        elif stands == "waiting":
            yield Finding("window", "ok", f"{span}; cameras start in {_words(window.starts - self._now)}")
        else:
            yield Finding("window", "ok", f"{span}; open for another {_words(window.ends - self._now)}")

    def _known_manifest(self) -> Manifest:
        if self._manifest is None:
            self._manifest = load_manifest(self.config.models.dir)
        return self._manifest

    def _models(self) -> Iterator[Finding]:
        manifest = self._known_manifest()
        for asset in (manifest.detector(self.config.models.detector), manifest.embedder(self.config.models.embedder)):
            try:
                check_ready(manifest, asset)
            except ModelError as error:
                yield Finding("models", "fail", error.problem, error.remedy)
            else:
                yield Finding("models", "ok", f"{asset.ref} is installed and unaltered ({asset.licence})")

    def _provider(self) -> Iterator[Finding]:
        manifest, section = self._known_manifest(), self.config.models
        smallest = min(camera.min_face_px for camera in self.config.cameras)
        detector = open_detector(manifest, section.detector, section.provider, section.threads, min_face_px=smallest)
        self._eye = cameras.FaceLooker(detector)
        embedder = open_embedder(manifest, section.embedder, section.provider, section.threads)
        for name, provider in ((section.detector, detector.provider), (section.embedder, embedder.provider)):
            text = f"{name} runs on {provider} (models.provider: {section.provider}), proven by an inference"
            if provider == "cpu" and section.provider == "auto" and gpu_present():
                remedy = "Run make setup on this machine, or set models.provider: cpu if that is meant."
                yield Finding("provider", "warn", f"{text}, although this machine has an NVIDIA GPU", remedy)
            else:
                yield Finding("provider", "ok", text)

    def _watchlist(self) -> Iterator[Finding]:
        section, config = self.config.watchlist, self.config
        store, ours = Store(config.alerts.state_dir), config.deployment.id
        embedder_ref = self._known_manifest().embedder(config.models.embedder).ref
        newest = store.newest_sequence(ours)
        policy = WatchlistPolicy.of(section, ours, embedder_ref=embedder_ref, min_sequence=newest, now=self._now)
        opened = open_sealed(section.file, section.key, policy)
        try:
            names = ", ".join(approval.name for approval in opened.approvals)
            approved = f"approved by {names}" if names else "no approval asked for"
            text = f"{len(opened)} entries with {len(opened.portraits)} photos, built by {opened.builder}, {approved}"
            yield Finding("watchlist", "ok", text)
            ends = authority.window(config, store.load()).ends
            if opened.expires_at < ends:
                text = f"The watchlist expires at {utc_text(opened.expires_at)[:16]}, before the end of the window."
                yield Finding("watchlist", "warn", text, "Build one that lasts, or recognition stops there.")
            if opened.expired_ids:
                text = f"{len(opened.expired_ids)} entries are past their own expiry and are not looked for."
                yield Finding("watchlist", "warn", text, "Build a new list without them.")
            page = section.file.with_name(section.file.name + PAGE_SUFFIX)
            if page.exists():
                text = f"{page.name} shows faces in clear; it is destroyed when recognition starts: look before"
                yield Finding("watchlist", "ok", text)
            if len(opened) == 0:
                yield Finding("watchlist", "warn", "Nobody is on the watchlist.", "Build one with people in it.")
        finally:
            opened.wipe()

    def _cameras(self) -> Iterator[Finding]:
        if self._look_s > 0:
            yield from cameras.cameras(
                self.config, self._eye, self._look_s, lambda name: self._step(f"camera {name} is done"), self._simulated
            )


def examine(
    config: Config,
    look_s: float = LOOK_S,
    step: Callable[[str], None] = lambda _: None,
    simulated: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Look at everything that would stop a deployment: see `Doctor`."""
    return Doctor(config, look_s, step, simulated).examine()


def _words(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
