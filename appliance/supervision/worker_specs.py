"""How hub, console and cameras of a run are made: what each is told when its process is spawned."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from appliance.alerts.messages import new_id
from appliance.camera.settings import CameraSettings
from appliance.config.live import Config
from appliance.deployment.report import counts
from appliance.stream.settings import HubSettings
from appliance.supervision.workers import WorkerSpec


class LiveSpecs:
    """Implements `supervision.deployment_port.SpecsPort` for one run.

    Parameters
    ----------
    ends
        Asked at each start of a camera: until when it may recognise.
    console
        How the console's process is made, from the runtime folder; a room above knows. None: there is no console.
    simulated
        Kinds of source that a room above offers: see `camera.sources.open.open_source`.
    """

    def __init__(
        self,
        config: Config,
        ends: Callable[[], datetime],
        console: Callable[[Path], WorkerSpec | None] | None = None,
        simulated: Mapping[str, str] | None = None,
    ) -> None:
        self.run_id = new_id()
        self._config = config
        self._ends = ends
        self._console = console
        self._simulated = dict(simulated or {})

    def hub(self, runtime: Path) -> WorkerSpec:
        """The hub, which keeps the report's counts before it purges what they are counted from."""
        keep = functools.partial(counts.keep, self._config)
        settings = HubSettings.from_config(self._config, runtime, keep)
        return WorkerSpec("hub", "appliance.stream.hub:serve", settings)

    def console(self, runtime: Path) -> WorkerSpec | None:
        """The console, a room above this one: as it was given."""
        return self._console(runtime) if self._console is not None else None

    def camera(self, name: str, runtime: Path, sealed: Path) -> WorkerSpec:
        """A camera that opens the accepted copy of the list at `sealed`."""
        config, section = self._config, self._config.watchlist
        camera = next(camera for camera in config.cameras if camera.name == name)
        sealed_list = section.model_copy(
            update={"file": sealed, "builders": section.builders_dir, "approvers": section.approvers_dir}
        )

        def settings() -> CameraSettings:
            return CameraSettings(
                camera=camera,
                models=config.models,
                matching=config.matching,
                redaction=config.redaction,
                watchlist=sealed_list,
                deployment=config.deployment.id,
                location=config.deployment.location,
                runtime=runtime,
                run_id=self.run_id,
                ends=self._ends(),
                simulated=self._simulated,
            )

        return WorkerSpec(f"camera/{name}", "appliance.camera.process:serve", settings)
