"""Which watchlist a camera looks for, and how another takes its place while the camera goes on."""

from __future__ import annotations

import threading
import time

import structlog

from appliance.camera.settings import CameraSettings
from appliance.core.errors import LfrError
from appliance.gallery.limits import RECALL_WANTED
from appliance.gallery.port import Gallery
from appliance.gallery.watchlist.gallery import open_gallery
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.gallery.watchlist.sealed import open_sealed

RETRY_S = 10.0
CLOSE_S = 2.0

log = structlog.get_logger()


class ActiveGallery:
    """The watchlist in use and the one that is being prepared to replace it, off the recognition loop."""

    def __init__(self, settings: CameraSettings, embedder_ref: str) -> None:
        self._settings = settings
        self._embedder_ref = embedder_ref
        self._next: Gallery | None = None
        self._thread: threading.Thread | None = None
        self._retry_s = 0.0
        self.problem = ""
        self.current = self._load(settings.min_sequence)

    def offer(self, digest: str, min_sequence: int) -> bool:
        """Take up a watchlist that is ready, and begin to prepare the one wanted; True when it was changed now.

        Called between two frames, so that no search ever sees half of a list.
        """
        if self._next is not None:
            old, self.current, self._next = self.current, self._next, None
            old.wipe()
            return True
        busy = self._thread is not None and self._thread.is_alive()
        if digest and digest != self.current.version and not busy and time.monotonic() >= self._retry_s:
            self._retry_s = time.monotonic() + RETRY_S
            self._thread = threading.Thread(target=self._prepare, args=(digest, min_sequence), daemon=True)
            self._thread.start()
        return False

    def close(self) -> None:
        """Overwrite the lists in memory."""
        if self._thread is not None:
            self._thread.join(CLOSE_S)
        self.current.wipe()
        if self._next is not None:
            self._next.wipe()

    def _prepare(self, digest: str, min_sequence: int) -> None:
        try:
            gallery = self._load(min_sequence)
        except LfrError as error:
            self.problem = str(error)
            log.error("the changed watchlist is not taken up; the present one stays", problem=self.problem)
            return
        if gallery.version != digest:  # the file changed again; the supervisor has not yet checked that one
            gallery.wipe()
            return
        self.problem = ""
        self._next = gallery

    def _load(self, min_sequence: int) -> Gallery:
        section, ours = self._settings.watchlist, self._settings.deployment
        policy = WatchlistPolicy.of(section, ours, embedder_ref=self._embedder_ref, min_sequence=min_sequence)
        gallery = open_gallery(open_sealed(section.file, section.key, policy))
        if gallery.recall < RECALL_WANTED:
            log.warning("the search graph misses too much; the exact search is used", recall=round(gallery.recall, 4))
        return gallery
