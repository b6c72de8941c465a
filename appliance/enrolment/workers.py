"""Photos' bytes in, results out: examined here, or by worker processes, one a core, each with models of one thread.

Nothing is waited for longer than needed: photos are read as the workers ask for them, results come as they are ready.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from appliance.core.errors import WatchlistError
from appliance.core.process import die_with_parent
from appliance.enrolment.photo import PhotoResult, enrol
from appliance.vision.examine import Examiner, open_examiner
from appliance.vision.models import load_manifest

POOL_FROM = 12
"""With fewer photos to examine, starting processes takes longer than the photos."""

Photo = tuple[bytes, bytes]
"""A photo's key, which its result is given back with, and its content."""


class ModelNames(NamedTuple):
    """Which models examine: their folder, and their names in its manifest."""

    folder: Path
    detector: str
    embedder: str

    def open(self) -> Examiner:
        """Open them here.

        Raises
        ------
        ModelError
            They are not installed.
        """
        return open_examiner(load_manifest(self.folder), self.detector, self.embedder)


def enrol_all(photos: Iterator[Photo], names: ModelNames, workers: int) -> Iterator[tuple[bytes, PhotoResult]]:
    """The result of each photo by its key, in any order.

    Parameters
    ----------
    workers
        Processes; with 1, or few photos, none is started.

    Raises
    ------
    ModelError
        The models are not installed.
    WatchlistError
        A worker was killed.
    """
    first = [photo for _, photo in zip(range(POOL_FROM), photos, strict=False)]
    if len(first) < POOL_FROM or workers == 1:
        if first:
            examiner = names.open()
            for key, content in chain(first, photos):
                yield key, enrol(examiner, content)
        return
    yield from _in_processes(first, photos, names, workers)


def _in_processes(
    first: list[Photo], photos: Iterator[Photo], names: ModelNames, workers: int
) -> Iterator[tuple[bytes, PhotoResult]]:
    with _single_threaded():
        pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(names,)
        )
        pending: dict[Future[PhotoResult], bytes] = {}
        try:
            for key, content in first:
                pending[pool.submit(_enrol, content)] = key
            more = True
            while pending or more:
                while more and len(pending) < 4 * workers:
                    photo = next(photos, None)
                    if photo is None:
                        more = False
                    else:
                        pending[pool.submit(_enrol, photo[1])] = photo[0]
                ready, _ = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield pending.pop(future), future.result()
        except BrokenProcessPool:
            raise WatchlistError(
                "A process that examines photos was killed; the machine may be short of memory.",
                "Start the same command again: it goes on where it was. With --workers 1 it needs least memory.",
            ) from None
        finally:
            processes = list((pool._processes or {}).values()) if pending else []
            pool.shutdown(wait=not pending, cancel_futures=True)
            for process in processes:
                process.kill()


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Spawned workers read these when they load their libraries; one a core must not start a thread a core each."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_examiner: Examiner | None = None


def _start_worker(names: ModelNames) -> None:
    global _examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends us
    die_with_parent()
    _examiner = names.open()


def _enrol(content: bytes) -> PhotoResult:
    if _examiner is None:
        raise RuntimeError("the worker was not started")
    return enrol(_examiner, content)
