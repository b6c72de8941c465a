"""How hub, console and cameras of a run are made: what each is told when its process is spawned."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from appliance.alerts.messages import new_id
from appliance.config.live import Config
from appliance.deployment.report import counts
from appliance.stream.settings import HubSettings
from appliance.supervision.workers import Recipe, WorkerSpec


class LiveSpecs:
    """Implements `supervision.deployment_port.SpecsPort` for one run.

    Parameters
    ----------
    ends
        Asked at each start of a camera: until when it may recognise.
    demo_token
        Signs the demo's browser in, once; see `console.settings`.
    """

    def __init__(self, config: Config, ends: Callable[[], datetime], demo_token: str | None = None) -> None:
        self.run_id = new_id()
        self._config = config
        self._ends = ends
        self._demo_token = demo_token

    def hub(self, runtime: Path) -> WorkerSpec:
        """The hub, which keeps the report's counts before it purges what they are counted from."""
        keep = functools.partial(counts.keep, self._config)
        settings = HubSettings.from_config(self._config, runtime, keep)
        return WorkerSpec("hub", "appliance.stream.hub:serve", settings)

    def console(self, runtime: Path) -> WorkerSpec | None:
        """The console, a room above this one: named, never imported."""
        if self._config.console is None:
            return None
        given = {"config": self._config, "runtime": runtime, "demo_token": self._demo_token}
        recipe = Recipe("appliance.console.settings:ConsoleSettings.from_config", given)
        return WorkerSpec("console", "appliance.console.server:serve", recipe)

    def camera(self, name: str, runtime: Path, sealed: Path) -> WorkerSpec:
        """A camera that opens the accepted copy of the list at `sealed`."""
        config, section = self._config, self._config.watchlist
        camera = next(camera for camera in config.cameras if camera.name == name)
        sealed_list = section.model_copy(
            update={"file": sealed, "builders": section.builders_dir, "approvers": section.approvers_dir}
        )

        def settings() -> Recipe:
            given = {
                "camera": camera,
                "models": config.models,
                "matching": config.matching,
                "redaction": config.redaction,
                "watchlist": sealed_list,
                "deployment": config.deployment.id,
                "location": config.deployment.location,
                "runtime": runtime,
                "run_id": self.run_id,
                "ends": self._ends(),
            }
            return Recipe("appliance.camera.process:CameraSettings", given)

        return WorkerSpec(f"camera/{name}", "appliance.camera.process:serve", settings)
