"""Open-set accuracy of detector and embedder on a folder of people: how many on the list are found, at what cost.

Terms of ISO/IEC 19795-1: a mated probe shows somebody on the watchlist, a non-mated one somebody who is not. FPIR is
the share of non-mated probes that raise an alert, TPIR the share of mated probes whose own entry comes first and at or
above the threshold. One picture a person is enrolled, another is the probe: single pictures, not a track's evidence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from appliance.core import binomial
from appliance.core.errors import LfrError
from appliance.core.types import Faces, Float32, Image
from appliance.vision import aligner
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.models import Manifest

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
FPIR_WANTED = (1 / 100, 1 / 1000, 1 / 6000)
MAX_PIXELS = 50_000_000
_MIN_FACE_PX = 32


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """The pictures in which a face was found.

    Attributes
    ----------
    person
        `(m,)`: number of the person whose folder the picture is in.
    probes, templates
        `(m, d)` unit vectors: of the picture as a probe, and as it would be enrolled (mean with the mirror image).
    people, pictures
        How many folders and pictures there were, those without a face included.
    """

    person: npt.NDArray[np.intp]
    probes: Float32
    templates: Float32
    people: int
    pictures: int


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
    """

    people: int
    pictures: int
    pictures_without_face: int
    watchlist_size: int
    draws: int
    mated_people: int
    non_mated_people: int
    wanted: dict[str, Point | None]
    at_threshold: Point | None = None
    models: dict[str, str] = {}


def people_in(folder: Path) -> list[list[Path]]:
    """The pictures of each person: one folder a person, sorted by name.

    Raises
    ------
    LfrError
        There is no such folder, or it holds no folder with pictures.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise LfrError(
            f"{folder} cannot be read: {error.strerror}.", "Name a folder with one folder a person."
        ) from None
    found = [sorted(path for path in one.iterdir() if path.suffix.lower() in SUFFIXES) for one in folders]
    people = [pictures for pictures in found if pictures]
    if not people:
        raise LfrError(
            f"{folder} holds no folders with pictures.", "Put each person's pictures in a folder of their own."
        )
    return people


def main_face(faces: Faces, picture: Image) -> Faces:
    """The face that the picture is of: large and near its middle; none where there is none."""
    if not len(faces):
        return faces
    height, width = picture.shape[:2]
    sizes = faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2]
    offset = np.abs((faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2 - [width / 2, height / 2]).sum(axis=1)
    return faces.select(np.array([int(np.argmax(sizes[:, 1] - 0.5 * offset))]))


def embed_people(
    people: Sequence[Sequence[Path]],
    manifest: Manifest,
    detector: str = "centerface",
    embedder: str = "mobilefacenet",
    provider: str = "auto",
    workers: int | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[Vectors, dict[str, str]]:
    """Find, align and embed the main face of every picture, as the appliance does; one thread a worker.

    Returns
    -------
    tuple
        The vectors, and what computed them: `detector`, `embedder`, `provider`.
    """
    own = local()

    def tools() -> tuple[Any, Any]:
        if not hasattr(own, "tools"):
            own.tools = (
                open_detector(manifest, detector, provider, 1, min_face_px=_MIN_FACE_PX),
                open_embedder(manifest, embedder, provider, 1),
            )
        return own.tools  # type: ignore[no-any-return]

    def embed(path: Path) -> tuple[Float32, Float32] | None:
        find, describe = tools()
        picture = read_picture(path)
        if picture is None:
            return None
        face = main_face(find.detect(picture), picture)
        if not len(face):
            return None
        crops = aligner.align(
            picture, find.refine(picture, face).landmarks, describe.crop_px, template=describe.template
        )
        return describe.embed(crops)[0], describe.embed_enrolment(crops)[0]

    find, describe = tools()
    refs = {"detector": find.ref, "embedder": describe.ref, "provider": describe.provider}
    provider = describe.provider
    jobs = [(number, path) for number, pictures in enumerate(people) for path in pictures]
    rows: list[tuple[int, Float32, Float32]] = []
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, ((number, _), pair) in enumerate(zip(jobs, pool.map(embed, [path for _, path in jobs]), strict=True)):
            if pair is not None:
                rows.append((number, *pair))
            progress(done + 1)
    dimension = describe.dimension
    return Vectors(
        np.array([number for number, _, _ in rows], np.intp),
        np.array([probe for _, probe, _ in rows], np.float32).reshape(-1, dimension),
        np.array([template for _, _, template in rows], np.float32).reshape(-1, dimension),
        len(people),
        len(jobs),
    ), refs


def read_picture(path: Path) -> Image | None:
    """The picture, or None where it cannot be read or would be unreasonably large."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    if picture is None or picture.shape[0] * picture.shape[1] > MAX_PIXELS:
        return None
    return picture.astype(np.uint8, copy=False)


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
            f"A watchlist of {watchlist_size} needs more than {watchlist_size} people with a face; there are "
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
        pictures_without_face=vectors.pictures - len(vectors.person),
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
