"""Photos and a manifest → a sealed watchlist, with a reason for every photo that was not taken.

The photos are examined by worker processes, one a core, each with models of one thread. What they find is cached as it
comes, so that an interrupted build goes on where it was and a second one only looks at what is new. The report and the
cache (`FILE.report.html`, `FILE.report.json`, `FILE.cache`, `FILE.cache.key`) belong to the list and are destroyed with
it: see `gallery.watchlist.companions`. The photos that were given are the operator's and stay where they are.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from appliance.core.clock import utc_now
from appliance.core.errors import WatchlistError
from appliance.enrolment.cache import Cache
from appliance.enrolment.manifest import Plan, plan
from appliance.enrolment.photo import PhotoResult, recipe
from appliance.enrolment.photo_sources import Folder, Zip, open_source
from appliance.enrolment.resemblance import Resemblance, compare
from appliance.enrolment.workers import ModelNames, enrol_all
from appliance.gallery.limits import MAX_ENTRIES
from appliance.gallery.watchlist import sealed
from appliance.gallery.watchlist.container import MAX_TEMPLATES, Header
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.payload import Payload
from appliance.security.keys import Signer
from appliance.vision.examine import UNREADABLE, Reason
from appliance.vision.models import EmbedderEntry, load_manifest


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is; `rejected` counts photos, `reused` those that the cache knew."""

    done: int
    total: int
    rejected: int
    reused: int


Tell = Callable[[Progress], None]
"""Told how far a build is, several times a second."""


@dataclass(slots=True)
class EntryOutcome:
    """One entry, its photos' results in the order of the manifest, and how findable it is.

    Attributes
    ----------
    findable
        `very good`, `good`, `fair`, `poor` or `no`.
    why
        What makes it so, a plain sentence.
    """

    entry: Entry
    photos: list[tuple[str, PhotoResult]] = field(default_factory=list)
    findable: str = "no"
    why: str = ""

    @property
    def taken(self) -> int:
        """How many photos go onto the list."""
        return sum(result.taken for _, result in self.photos)


@dataclass(slots=True)
class BuildResult:
    """What a build made and found.

    Attributes
    ----------
    outcomes
        Of every entry of the manifest, in its order.
    listed
        Positions in `outcomes` of the entries that are on the list, in the list's order; `resemblance` counts in it.
    template_photos
        Of each template, its entry's position in `outcomes` and its photo's name.
    same_photo
        Names of pictures that are byte for byte the same under different entries.
    examined, reused, seconds
        Photos that the models saw, photos that the cache knew, and how long the examination took.
    """

    path: Path
    header: Header
    digest: str
    outcomes: list[EntryOutcome]
    listed: list[int]
    template_photos: list[tuple[int, str]]
    resemblance: Resemblance
    same_photo: list[tuple[str, ...]]
    notes: tuple[str, ...]
    match_threshold: float
    examined: int
    reused: int
    seconds: float
    workers: int

    def count(self, verdict: str) -> int:
        """Photos with a verdict."""
        return sum(result.verdict == verdict for outcome in self.outcomes for _, result in outcome.photos)


@dataclass(frozen=True, slots=True)
class Job:
    """What to build.

    Attributes
    ----------
    source
        A folder with manifest.csv, a folder with one folder a person, or a zip of either.
    output
        The sealed file.
    recipient
        The appliance's public sealing key, `age1…`.
    workers
        Processes; 0 for one a core.
    category, response
        For entries that name none.
    """

    source: Path
    output: Path
    recipient: str
    signer: Signer
    expires: datetime
    deployment: str = ""
    sequence: int | None = None
    max_entries: int = MAX_ENTRIES
    category: str = ""
    response: str = ""
    models_dir: Path | None = None
    detector: str = "centerface"
    embedder: str = "mobilefacenet"
    workers: int = 0
    cache: bool = True

    @property
    def processes(self) -> int:
        """How many examine photos at most."""
        return self.workers or len(os.sched_getaffinity(0))


def build(job: Job, progress: Tell | None = None) -> BuildResult:
    """Examine the photos, compare the people, seal the list.

    Raises
    ------
    WatchlistError
        The source has problems (`manifest.ManifestError`, all at once), no photo could be taken, or a file cannot be
        written. Nothing is sealed then.
    ModelError
        The models are not installed.
    KeyboardInterrupt
        Passed on; what was examined is in the cache.
    """
    now = utc_now()
    if job.expires <= now:
        raise WatchlistError("The list would have expired already.", "Give a later --expires.")
    manifest = load_manifest(job.models_dir)
    detector, embedder = manifest.detector(job.detector), manifest.embedder(job.embedder)
    source = open_source(job.source)
    try:
        wanted = plan(
            source, max_entries=job.max_entries, today=now.date(), category=job.category, response=job.response
        )
        if len(wanted.photos) > MAX_TEMPLATES:
            raise WatchlistError(f"{len(wanted.photos)} photos; at most {MAX_TEMPLATES} are allowed.")
        cache = Cache(job.output.with_name(job.output.name + ".cache")) if job.cache else None
        try:
            names = list(dict.fromkeys(photo.name for photo in wanted.photos))
            photos = _Photos(names, cache, recipe(detector.ref, embedder.ref), progress)
            photos.examine(source, ModelNames(manifest.dir, job.detector, job.embedder), job.processes)
        finally:
            if cache is not None:
                cache.close()
    finally:
        source.close()
    return _finish(job, wanted, photos, embedder)


class _Photos:
    """A plan's photos on their way: known to the cache, or examined; a picture that is there twice is examined once.

    Attributes
    ----------
    results, hashes
        By photo name: what came of it, and its SHA-256 (none where it cannot be read).
    """

    def __init__(self, names: list[str], cache: Cache | None, recipe_name: str, progress: Tell | None) -> None:
        self.results: dict[str, PhotoResult] = {}
        self.hashes: dict[str, bytes] = {}
        self.reused = self.examined = 0
        self.seconds = 0.0
        self._names, self._cache, self._recipe, self._progress = names, cache, recipe_name, progress
        self._waiting: dict[bytes, list[str]] = {}
        self._rejected = 0
        self._told = 0.0

    def examine(self, source: Folder | Zip, models: ModelNames, workers: int) -> None:
        """Fill `results` and `hashes`, and keep in the cache only what belongs to this list."""
        started = time.perf_counter()
        for key, result in enrol_all(self._unknown(source), models, workers):
            self.examined += 1
            if self._cache is not None:
                self._cache.put(key, self._recipe, result)
            for name in self._waiting[key]:
                self._done(name, result)
        self.seconds = time.perf_counter() - started
        # a picture read after its twin was examined waits for nothing that will still come
        for name in self._names:
            if name not in self.results:
                self._done(name, self.results[self._waiting[self.hashes[name]][0]])
        if self._cache is not None:
            self._cache.keep_only(set(self.hashes.values()), self._recipe)

    def _unknown(self, source: Folder | Zip) -> Iterator[tuple[bytes, bytes]]:
        """Photos that must be examined: their hash and content, read as they are asked for."""
        for name in self._names:
            try:
                content = source.read(name)
            except WatchlistError as error:
                result = PhotoResult()
                result.add(Reason(UNREADABLE, error.problem.removesuffix("."), error.remedy or "Copy it again."))
                self._done(name, result)
                continue
            key = self.hashes[name] = hashlib.sha256(content).digest()
            known = self._cache.get(key, self._recipe) if self._cache is not None else None
            if known is not None:
                self.reused += 1
                self._done(name, known)
            elif key in self._waiting:
                self._waiting[key].append(name)
            else:
                self._waiting[key] = [name]
                yield key, content

    def _done(self, name: str, result: PhotoResult) -> None:
        self.results[name] = result
        self._rejected += not result.taken
        now = time.monotonic()
        everything = len(self.results) == len(self._names)
        if self._progress is not None and (now - self._told > 0.1 or everything):
            self._told = now
            self._progress(Progress(len(self.results), len(self._names), self._rejected, self.reused))


def _finish(job: Job, wanted: Plan, photos: _Photos, embedder: EmbedderEntry) -> BuildResult:
    results = photos.results
    outcomes = [EntryOutcome(entry) for entry in wanted.entries]
    for photo in wanted.photos:
        outcomes[photo.entry].photos.append((photo.name, results[photo.name]))
    listed = [position for position, outcome in enumerate(outcomes) if outcome.taken]
    if not listed:
        reasons = sorted({reason for result in results.values() for reason in result.reasons})[:5]
        raise WatchlistError(f"No photo could be taken: {'; '.join(reasons)}.", "Look at the photos.")
    places = {position: place for place, position in enumerate(listed)}
    taken = [
        (position, name, result) for position in listed for name, result in outcomes[position].photos if result.taken
    ]
    payload = Payload(
        entries=tuple(outcomes[position].entry for position in listed),
        templates=np.stack([result.template for _, _, result in taken]),
        entry_of_template=np.array([places[position] for position, _, _ in taken], np.int32),
        portraits=[bytearray(result.portrait) for _, _, result in taken],
    )
    resemblance = compare(payload.templates, payload.entry_of_template, embedder.threshold)
    template_photos = [(position, name) for position, name, _ in taken]
    _judge_findable(outcomes, {template_photos[misfit.template] for misfit in resemblance.misfits})
    header = sealed.seal(
        job.output,
        payload,
        job.signer,
        sealed.Terms(job.recipient, embedder.ref, job.expires, job.deployment, job.sequence),
    )
    payload.wipe()
    return BuildResult(
        path=job.output,
        header=header,
        digest=sealed.digest(job.output),
        outcomes=outcomes,
        listed=listed,
        template_photos=template_photos,
        resemblance=resemblance,
        same_photo=_same_photos(wanted, photos.hashes),
        notes=wanted.notes,
        match_threshold=embedder.threshold,
        examined=photos.examined,
        reused=photos.reused,
        seconds=photos.seconds,
        workers=job.processes,
    )


def _same_photos(wanted: Plan, hashes: dict[str, bytes]) -> list[tuple[str, ...]]:
    """Ids of entries that share a picture, byte for byte."""
    owners: dict[bytes, dict[str, None]] = {}
    for photo in wanted.photos:
        key = hashes.get(photo.name)
        if key is not None:
            owners.setdefault(key, {})[wanted.entries[photo.entry].id] = None
    return [tuple(ids) for ids in owners.values() if len(ids) > 1]


def _judge_findable(outcomes: list[EntryOutcome], misfits: set[tuple[int, str]]) -> None:
    for position, outcome in enumerate(outcomes):
        good = [result for _, result in outcome.photos if result.verdict == "accepted"]
        taken = outcome.taken
        odd = sum((position, name) in misfits for name, _ in outcome.photos)
        if not taken:
            outcome.findable, outcome.why = "no", "None of the photos could be taken: this person is not on the list."
        elif odd and odd == taken:
            outcome.findable, outcome.why = "poor", "The photos do not look like one person; check who is who."
        elif not good:
            best = min((result for _, result in outcome.photos if result.taken), key=lambda result: len(result.reasons))
            outcome.findable = "fair" if len(best.reasons) == 1 else "poor"
            outcome.why = f"Only doubtful photos: {'; '.join(best.reasons)}."
        elif taken == 1:
            outcome.findable, outcome.why = "good", "One good photo; a second from another day would help."
        else:
            outcome.findable = "very good" if len(good) > 1 else "good"
            outcome.why = f"{len(good)} good of {taken} photos taken."
