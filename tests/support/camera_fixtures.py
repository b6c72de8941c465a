"""What a camera's process is given in its tests: settings, and a sealed list that the test decides on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from painted_faces import watchlist

from appliance.alerts.messages import new_id
from appliance.camera import active_gallery
from appliance.camera.settings import CameraSettings
from appliance.config.live import Camera, Matching, WatchlistFile
from appliance.config.sections import Models, Redaction
from appliance.core.clock import utc_now
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.gallery.watchlist.sealed import Watchlist

FIRST, SECOND = "1" * 64, "2" * 64
"""Digests of lists."""


@pytest.fixture
def settings(tmp_path: Path) -> CameraSettings:
    return CameraSettings(
        camera=Camera(name="north", source="test:", preview_fps=10, min_face_px=40),
        models=Models(),
        matching=Matching(),
        redaction=Redaction(style="solid"),
        watchlist=WatchlistFile(file=tmp_path / "list.lfrw", key=tmp_path / "seal.key"),
        deployment="test",
        location="A street",
        runtime=tmp_path,
        run_id=new_id(),
        ends=utc_now() + timedelta(hours=1),
    )


class Lists:
    """Stands in for `open_sealed`: gives `newest`, or raises it when it is an error."""

    def __init__(self) -> None:
        self.newest: Watchlist | Exception = watchlist(FIRST)
        self.opened: list[Watchlist] = []

    def __call__(self, path: Path, key: Path, policy: WatchlistPolicy) -> Watchlist:
        if isinstance(self.newest, Exception):
            raise self.newest
        self.opened.append(self.newest)
        return self.newest


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> Lists:
    made = Lists()
    monkeypatch.setattr(active_gallery, "open_sealed", made)
    return made
