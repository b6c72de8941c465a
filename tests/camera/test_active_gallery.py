"""Another watchlist takes the place of the present one between two frames; what is replaced is overwritten."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from camera_fixtures import FIRST, SECOND, Lists
from painted_faces import ENTRIES, watchlist
from structlog.testing import capture_logs

from appliance.camera import active_gallery as module
from appliance.camera.active_gallery import ActiveGallery
from appliance.camera.settings import CameraSettings
from appliance.core.errors import WatchlistError
from appliance.gallery.exact import ExactSearch
from appliance.gallery.watchlist.gallery import WatchlistGallery, templates_of
from appliance.gallery.watchlist.sealed import Watchlist


def offer_until(galleries: ActiveGallery, digest: str, condition: Callable[[], Any]) -> bool:
    """As the loop does between frames, until the thread that prepares the list is done; whether it was changed."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        changed = galleries.offer(digest, 0)
        if changed or condition():
            return changed
        time.sleep(0.005)
    raise AssertionError("nothing came of the list that was offered")


def test_another_list_is_taken_up_between_two_frames_and_the_old_one_is_overwritten(
    settings: CameraSettings, lists: Lists
) -> None:
    galleries = ActiveGallery(settings, "painted@0")
    (old,) = lists.opened
    templates, old_gallery = old.templates, galleries.current
    assert not galleries.offer(FIRST, 0), "the list in use is no change"
    lists.newest = watchlist(SECOND, ENTRIES[:2])
    assert offer_until(galleries, SECOND, lambda: False)
    assert (galleries.current.version, len(galleries.current)) == (SECOND, 2)
    assert not templates.any()
    assert not old.portraits
    assert len(old_gallery) == 0
    assert not galleries.offer(SECOND, 0)


def test_until_it_is_ready_the_camera_goes_on_with_the_one_it_has(
    settings: CameraSettings, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    galleries = ActiveGallery(settings, "painted@0")
    lists.newest, release = watchlist(SECOND), threading.Event()
    monkeypatch.setattr(module, "open_sealed", lambda *a: release.wait(30) and lists(*a))
    for _ in range(3):
        assert not galleries.offer(SECOND, 0)
    assert galleries.current.version == FIRST
    assert lists.opened[0].templates.any()
    release.set()
    assert offer_until(galleries, SECOND, lambda: False)


def test_a_list_that_is_refused_leaves_the_present_one_and_says_why(settings: CameraSettings, lists: Lists) -> None:
    galleries = ActiveGallery(settings, "painted@0")
    lists.newest = WatchlistError("The list was tampered with.")
    assert not offer_until(galleries, SECOND, lambda: galleries.problem)
    assert galleries.problem == "The list was tampered with."
    assert galleries.current.version == FIRST
    assert lists.opened[0].templates.any()


def test_a_list_that_changed_again_meanwhile_is_not_used(settings: CameraSettings, lists: Lists) -> None:
    galleries = ActiveGallery(settings, "painted@0")
    third = lists.newest = watchlist("3" * 64)
    assert not offer_until(galleries, SECOND, lambda: not third.entries)
    assert galleries.current.version == FIRST


def test_a_graph_that_misses_too_much_is_told(
    settings: CameraSettings, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing_much(opened: Watchlist) -> WatchlistGallery:
        return WatchlistGallery(opened, ExactSearch(templates_of(opened)), recall=0.9)

    monkeypatch.setattr(module, "open_gallery", missing_much)
    with capture_logs() as said:
        galleries = ActiveGallery(settings, "painted@0")
    assert galleries.current.recall == 0.9
    assert [(one["log_level"], one["recall"]) for one in said] == [("warning", 0.9)]


def test_closing_overwrites_every_list_in_memory(
    settings: CameraSettings, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 30.0)
    galleries = ActiveGallery(settings, "painted@0")
    lists.newest = watchlist(SECOND)
    galleries.offer(SECOND, 0)
    galleries.close()
    assert len(lists.opened) == 2
    assert all(not one.entries and not one.portraits for one in lists.opened)
