"""What a watchlist costs: building it against the bare models, opening and swapping one of 10,000 people, searching it.

Figures to print, never to judge by: a busy machine gives others.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from appliance.core.clock import utc_now
from appliance.core.errors import LfrError
from appliance.enrolment import watchlist_build
from appliance.gallery.exact import ExactSearch
from appliance.gallery.hnsw import HnswSearch
from appliance.gallery.recall import check_recall
from appliance.gallery.watchlist import sealed
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.gallery import open_gallery, templates_of
from appliance.gallery.watchlist.payload import Payload
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.security import keys
from appliance.vision.aligner import align
from appliance.vision.decode import Unreadable, decode
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.models import load_manifest
from appliance.vision.photo_faces import smallest_face_px


@dataclass(frozen=True, slots=True)
class BuildFigures:
    """Photos a second: the bare models on one core, whole builds by number of processes, and a build from the cache.

    Attributes
    ----------
    bare_cpu_ms, build_cpu_ms
        Processor time a photo on one core, which other work on the machine changes less than the rates. A build looks
        a second time at each face for its landmarks, measures quality, and draws portrait and thumbnail besides.
    """

    photos: int
    bare_cpu_ms: float
    build_cpu_ms: float
    bare_models: float
    build: dict[int, float]
    rebuild: float


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """Of one list: seconds, mebibytes and milliseconds; `recall` over all check probes and over the weak ones.

    Attributes
    ----------
    pause_ms
        The longest time that another Python thread of the process had to wait while the list was opened and its index
        built: what a camera feels of a swap.
    """

    entries: int
    file_mib: float
    open_s: float
    index_s: float
    memory_mib: float
    pause_ms: float
    recall: float
    weak_recall: float
    hnsw_ms: float
    exact_ms: float
    kind: str


def measure_build(
    photos: list[Path], processes: tuple[int, ...] = (1, 2), models_dir: Path | None = None
) -> BuildFigures:
    """Build a list of the photos, one entry each, without a cache, by each number of processes.

    The bare models see the same pictures, decoded before the clock starts: one detection and the two embeddings
    (picture and mirror image) that an enrolled photo needs.

    Raises
    ------
    LfrError
        The models are not installed, or no photo could be taken.
    """
    manifest = load_manifest(models_dir)
    with tempfile.TemporaryDirectory(prefix="lfr-bench-") as name:
        folder = Path(name)
        for number, photo in enumerate(photos):
            person = folder / "people" / f"P-{number}"
            person.mkdir(parents=True)
            # a byte after the end makes every photo another one, for pictures that are given more than once
            (person / f"1{photo.suffix}").write_bytes(photo.read_bytes() + number.to_bytes(4, "little"))
        keys.new_appliance_keys(folder / "keys", "Bench")
        job = watchlist_build.Job(
            source=folder / "people",
            output=folder / "list.lfrw",
            recipient=keys.load_recipient(folder / "keys/seal.pub"),
            signer=keys.load_signer(folder / "keys/builder.key"),
            expires=utc_now() + timedelta(hours=1),
            models_dir=manifest.dir,
        )
        rates: dict[int, float] = {}
        build_cpu_ms = 0.0
        for count in processes:
            began = time.process_time()
            result = watchlist_build.build(watchlist_build.Job(**{**_fields(job), "workers": count, "cache": False}))
            rates[count] = result.examined / result.seconds
            if count == 1:
                build_cpu_ms = 1000 * (time.process_time() - began) / result.examined
        watchlist_build.build(job)
        again = watchlist_build.build(job)
        rate, bare_cpu_ms = _bare_rate(photos, manifest.dir)
        return BuildFigures(len(photos), bare_cpu_ms, build_cpu_ms, rate, rates, again.reused / again.seconds)


def _fields(job: watchlist_build.Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in watchlist_build.Job.__dataclass_fields__}


def _bare_rate(photos: list[Path], models_dir: Path) -> tuple[float, float]:
    """Photos a second, and processor milliseconds a photo."""
    manifest = load_manifest(models_dir)
    detector = open_detector(manifest, "centerface", "cpu", 1)
    embedder = open_embedder(manifest, "mobilefacenet", "cpu", 1)
    pictures = []
    for photo in photos:
        with contextlib.suppress(Unreadable):
            pictures.append(decode(photo.read_bytes()).image_bgr)
    if not pictures:
        raise LfrError("None of the photos can be read.")
    face_px = manifest.detector("centerface").face_px
    started, began = time.perf_counter(), time.process_time()
    for image in pictures:
        faces = detector.detect(image, smallest_face_px(face_px, image.shape[:2]))
        embedder.embed_enrolment(align(image, faces.landmarks[:1]))
    cpu_ms = 1000 * (time.process_time() - began) / len(pictures)
    return len(pictures) / (time.perf_counter() - started), cpu_ms


def made_up(entries: int, dimension: int = 512, portrait_bytes: int = 12_000, seed: int = 0) -> Payload:
    """A list of random unit vectors with portraits of a usual size: as large as a real one, and nobody's face."""
    rng = np.random.default_rng(seed)
    # a falling spectrum, as face embeddings have; white noise would be harder for a graph than any real list
    templates = rng.standard_normal((entries, dimension), np.float32) * np.linspace(2, 0.2, dimension, dtype=np.float32)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    return Payload(
        entries=tuple(Entry(id=f"N-{number}", label=f"Nobody {number}") for number in range(entries)),
        templates=templates,
        entry_of_template=np.arange(entries, dtype=np.int32),
        portraits=[bytearray(rng.bytes(portrait_bytes)) for _ in range(entries)],
    )


def measure_load(entries: int = 10_000) -> LoadFigures:
    """Open a sealed list of that many made-up people and build its index, while another thread counts its pauses."""
    with tempfile.TemporaryDirectory(prefix="lfr-bench-") as name:
        folder = Path(name)
        keys.new_appliance_keys(folder, "Bench")
        file = folder / "list.lfrw"
        sealed.seal(
            file,
            made_up(entries),
            keys.load_signer(folder / "builder.key"),
            sealed.Terms(keys.load_recipient(folder / "seal.pub"), "bench@0", utc_now() + timedelta(hours=1)),
        )
        # in a process of its own, so that the memory is the list's and not what building it left behind
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(_measure_open, folder).result()


def _measure_open(folder: Path) -> LoadFigures:
    file = folder / "list.lfrw"
    process = psutil.Process()
    before = process.memory_info().rss
    with _Pauses() as pauses:
        started = time.perf_counter()
        policy = WatchlistPolicy(folder / "builders", folder / "approvers", 0, "", utc_now())
        watchlist = sealed.open_sealed(file, folder / "seal.key", policy)
        opened = time.perf_counter()
        gallery = open_gallery(watchlist)
        ready = time.perf_counter()
    memory = process.memory_info().rss - before
    templates = templates_of(watchlist)
    graph = gallery if gallery.kind == HnswSearch.kind else HnswSearch(templates)
    checked = check_recall(graph, ExactSearch(templates), templates)
    return LoadFigures(
        entries=len(watchlist),
        file_mib=file.stat().st_size / 2**20,
        open_s=opened - started,
        index_s=ready - opened,
        memory_mib=memory / 2**20,
        pause_ms=1000 * pauses.longest_s,
        recall=checked.recall,
        weak_recall=checked.weak_recall,
        hnsw_ms=checked.graph_ms,
        exact_ms=checked.exact_ms,
        kind=gallery.kind,
    )


class _Pauses:
    """Another thread that sleeps a millisecond at a time, and the longest that it had to wait."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.wait(0.001):
            now = time.perf_counter()
            self.longest_s = max(self.longest_s, now - last)
            last = now

    def __enter__(self) -> _Pauses:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def as_json(figures: BuildFigures | LoadFigures) -> dict[str, Any]:
    """Plain values, rounded to what a reader can use."""
    return {
        key: {str(count): round(rate, 1) for count, rate in value.items()} if isinstance(value, dict)
        else round(value, 3) if isinstance(value, float) else value
        for key, value in asdict(figures).items()
    }  # fmt: skip
