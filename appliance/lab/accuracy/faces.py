"""Open-set accuracy of detector and embedder on a folder of people: how many on the list are found, at what cost.

Terms of ISO/IEC 19795-1: a mated probe shows somebody on the watchlist, a non-mated one somebody who is not. FPIR is
the share of non-mated probes that raise an alert, TPIR the share of mated probes whose own entry comes first and at or
above the threshold. One picture a person is enrolled, another is the probe: single pictures, not a track's evidence.

Each picture is examined as enrolment examines a photo. What enrolment would refuse takes no part, as template or as
probe, and is counted: the rates are those of the pictures that pass.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import local

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from appliance.core import binomial
from appliance.core.errors import LfrError
from appliance.core.types import Float32
from appliance.vision.examine import NO_FACE, UNREADABLE, Examiner

FPIR_WANTED = (1 / 100, 1 / 1000, 1 / 6000)
WITHOUT_FACE = (NO_FACE.kind, UNREADABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """The pictures that enrolment takes.

    Attributes
    ----------
    person
        `(m,)`: number of the person whose folder the picture is in.
    probes, templates
        `(m, d)` unit vectors: of the picture as a probe, and as it would be enrolled (mean with the mirror image).
    people, pictures
        How many folders and pictures there were, those that were not taken included.
    refused
        Pictures with a face that enrolment refuses, by the first reason that speaks against each.
    """

    person: npt.NDArray[np.intp]
    probes: Float32
    templates: Float32
    people: int
    pictures: int
    refused: dict[str, int] = field(default_factory=dict)


class Point(BaseModel):
    """One operating point; intervals are Clopper-Pearson's at 95 %, over the people of one draw."""

    threshold: float
    fpir: float
    fpir_interval: tuple[float, float]
    tpir: float
    tpir_interval: tuple[float, float]


class OpenSet(BaseModel):
    """The result of `measure`.

    `wanted` maps a false positive identification rate, as text (`1/1000`), to the point with the lowest threshold that
    keeps it; None where there are too few strangers to tell. `at_threshold` is the point of the model's own threshold.
    `refused_for` says why enrolment refuses how many of the pictures that show a face.
    """

    people: int
    pictures: int
    pictures_without_face: int
    pictures_refused: int = 0
    refused_for: dict[str, int] = {}
    watchlist_size: int
    draws: int
    mated_people: int
    non_mated_people: int
    wanted: dict[str, Point | None]
    at_threshold: Point | None = None
    models: dict[str, str] = {}


def embed_people(
    people: Sequence[Sequence[Path]],
    make: Callable[[], Examiner],
    workers: int | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[Vectors, dict[str, str]]:
    """Examine every picture as enrolment does, and embed the face that it is about.

    Parameters
    ----------
    make
        Opens an examiner: one for each of the `workers` threads (default: one a core).
    progress
        Told how many pictures are done.

    Returns
    -------
    tuple
        The vectors, and what computed them: `detector`, `embedder`, `provider`.
    """
    own = local()

    def embed(path: Path) -> str | tuple[Float32, Float32]:
        if not hasattr(own, "examiner"):
            own.examiner = make()
        return _embed(own.examiner, path)

    first = own.examiner = make()
    refs = {"detector": first.detector.ref, "embedder": first.embedder.ref, "provider": first.embedder.provider}
    jobs = [(number, path) for number, pictures in enumerate(people) for path in pictures]
    rows: list[tuple[int, Float32, Float32]] = []
    refused: Counter[str] = Counter()
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, ((number, _), came) in enumerate(zip(jobs, pool.map(embed, [path for _, path in jobs]), strict=True)):
            if isinstance(came, str):
                refused[came] += 1
            else:
                rows.append((number, *came))
            progress(done + 1)
    for kind in WITHOUT_FACE:
        del refused[kind]
    dimension = first.embedder.dimension
    return Vectors(
        np.array([number for number, _, _ in rows], np.intp),
        np.array([probe for _, probe, _ in rows], np.float32).reshape(-1, dimension),
        np.array([template for _, _, template in rows], np.float32).reshape(-1, dimension),
        len(people),
        len(jobs),
        dict(refused.most_common()),
    ), refs


def _embed(examiner: Examiner, path: Path) -> str | tuple[Float32, Float32]:
    """The picture as a probe and as a template, or the kind of reason why it is neither."""
    try:
        examined = examiner.examine(path.read_bytes())
    except OSError:
        return UNREADABLE
    if not examined.taken or examined.found is None:
        return examined.reasons[0].kind
    crop = examiner.closer_look(examined.found).crop
    return examiner.embedder.embed(crop)[0], examiner.embedder.embed_enrolment(crop)[0]


def measure(
    vectors: Vectors, watchlist_size: int, *, threshold: float | None = None, draws: int = 20, seed: int = 1
) -> OpenSet:
    """Draw watchlists at random, and see who is found and who is taken for somebody.

    In each draw every person enters once: `watchlist_size` of them are enrolled, each with one picture; of those with
    another picture, that is a mated probe. Everybody else is a non-mated probe with one picture. Rates are pooled over
    the draws; the intervals count each person once.

    Raises
    ------
    LfrError
        There are too few people for such a list.
    """
    by_person = _by_person(vectors.person)
    if not 1 <= watchlist_size < len(by_person):
        raise LfrError(
            f"A watchlist of {watchlist_size} needs more than {watchlist_size} people with a usable picture; there are "
            f"{len(by_person)}.",
            "Use a smaller --watchlist-size or more people.",
        )
    rng = np.random.default_rng(seed)
    mated: list[Float32] = []
    non_mated: list[Float32] = []
    for _ in range(draws):
        hits, alerts = _draw(vectors, by_person, watchlist_size, rng)
        mated.append(hits)
        non_mated.append(alerts)
    found, taken = np.concatenate(mated), np.sort(np.concatenate(non_mated))[::-1]
    each = (len(found) // draws, len(taken) // draws)
    if not each[0]:
        raise LfrError(
            "Nobody on the drawn watchlists has a second picture.", "Two pictures of some people are needed."
        )

    def point(at: float) -> Point:
        fpir, tpir = float((taken >= at).mean()), float((found >= at).mean())
        return Point(
            threshold=at,
            fpir=fpir,
            fpir_interval=binomial.interval(round(fpir * each[1]), each[1], 0.95),
            tpir=tpir,
            tpir_interval=binomial.interval(round(tpir * each[0]), each[0], 0.95),
        )

    wanted: dict[str, Point | None] = {}
    for rate in FPIR_WANTED:
        allowed = int(rate * len(taken) + 1e-9)
        # With fewer strangers than 1 / rate, the threshold would be an extrapolation, whatever the number of draws.
        enough = each[1] * rate >= 1 and allowed < len(taken)
        wanted[f"1/{round(1 / rate)}"] = point(float(np.nextafter(taken[allowed], np.float32(2)))) if enough else None
    return OpenSet(
        people=vectors.people,
        pictures=vectors.pictures,
        pictures_without_face=vectors.pictures - len(vectors.person) - sum(vectors.refused.values()),
        pictures_refused=sum(vectors.refused.values()),
        refused_for=vectors.refused,
        watchlist_size=watchlist_size,
        draws=draws,
        mated_people=each[0],
        non_mated_people=each[1],
        wanted=wanted,
        at_threshold=None if threshold is None else point(threshold),
    )


def _by_person(person: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    order = np.argsort(person, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(person[order])) + 1) if len(order) else []


def _draw(
    vectors: Vectors, by_person: list[npt.NDArray[np.intp]], watchlist_size: int, rng: np.random.Generator
) -> tuple[Float32, Float32]:
    """Scores of one draw: of each mated probe (−1 where another came first), and the best of each non-mated one."""
    shuffled = [rng.permutation(by_person[i]) for i in rng.permutation(len(by_person))]
    listed, strangers = shuffled[:watchlist_size], shuffled[watchlist_size:]
    templates = vectors.templates[[pictures[0] for pictures in listed]]
    entries = np.array([i for i, pictures in enumerate(listed) if len(pictures) > 1], np.intp)
    probes = vectors.probes[[listed[i][1] for i in entries]]
    scores = probes @ templates.T
    first = scores.argmax(axis=1) if len(scores) else entries
    hits = np.where(first == entries, scores[np.arange(len(entries)), entries], np.float32(-1))
    alerts = (vectors.probes[[pictures[0] for pictures in strangers]] @ templates.T).max(axis=1)
    return hits.astype(np.float32), alerts.astype(np.float32)
