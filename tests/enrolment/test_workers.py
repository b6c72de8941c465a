"""Photos are examined once each by whoever is free, and what cannot go on is said and leaves no process behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from photos import png

from appliance.core.errors import ModelError, WatchlistError
from appliance.enrolment import workers
from appliance.enrolment.workers import ModelNames, enrol_all


@pytest.fixture
def names(models_dir: Path) -> ModelNames:
    return ModelNames(models_dir, "centerface", "mobilefacenet")


def grey(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"%d" % i, png(np.full((40, 40, 3), 2 * i, np.uint8))) for i in range(count)]


def test_no_photos_open_no_model(tmp_path: Path) -> None:
    assert list(enrol_all(iter([]), ModelNames(tmp_path, "none", "none"), 4)) == []


def test_models_that_are_not_there_are_said(tmp_path: Path, names: ModelNames) -> None:
    with pytest.raises(ModelError, match="no detector nobody"):
        list(enrol_all(iter(grey(1)), names._replace(detector="nobody"), 1))


def test_processes_give_every_photo_its_own_result_and_are_gone(
    names: ModelNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "POOL_FROM", 2)
    before, others = os.environ.get("OMP_NUM_THREADS"), set(multiprocessing.active_children())
    photos = [*grey(4), (b"bad", b"no picture")]
    found = dict(enrol_all(iter(photos), names, 2))
    assert found.keys() == {key for key, _ in photos}
    assert [found[key].reasons for key, _ in grey(4)] == [["no face was found"]] * 4
    assert "not a picture" in found[b"bad"].reasons[0]
    assert set(multiprocessing.active_children()) <= others
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_photos_are_read_only_as_they_are_asked_for(names: ModelNames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POOL_FROM", 2)
    asked = []

    def photos() -> Iterator[tuple[bytes, bytes]]:
        for key, content in grey(100):
            asked.append(key)
            yield key, content

    results = enrol_all(photos(), names, 1)
    next(results)
    assert len(asked) <= 3
    results.close()  # type: ignore[attr-defined]


def test_a_worker_that_is_killed_ends_the_build_with_a_remedy(
    names: ModelNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "POOL_FROM", 2)

    def photos() -> Iterator[tuple[bytes, bytes]]:
        yield from grey(2)
        while True:
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if any("spawn_main" in part for part in child.cmdline()):
                        os.kill(child.pid, signal.SIGKILL)
            yield from grey(1)

    with pytest.raises(WatchlistError, match=r"was killed.*--workers 1"):
        for _ in enrol_all(photos(), names, 2):
            pass
