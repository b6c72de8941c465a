"""One suite for every gallery and search engine: all of them answer the same questions in the same way.

A further backend is added to `ENGINES` or `GALLERIES` and has to pass unchanged.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gallery_material import DIMENSION, ids_of, make_templates, make_watchlist, near, unit

from appliance.core.errors import WatchlistError
from appliance.gallery.exact import ExactSearch
from appliance.gallery.hnsw import HnswSearch
from appliance.gallery.port import Candidates, Gallery, SearchEngine
from appliance.gallery.watchlist.gallery import WatchlistGallery, open_gallery, templates_of

Photos = list[int]
"""The number of photos of each person."""


def list_with(engine: type[ExactSearch] | type[HnswSearch]) -> Callable[[Photos], Gallery]:
    def make(photos: Photos) -> Gallery:
        watchlist = make_watchlist(photos)
        return WatchlistGallery(watchlist, engine(templates_of(watchlist)))

    return make


GALLERIES: dict[str, Callable[[Photos], Gallery]] = {
    "watchlist-exact": list_with(ExactSearch),
    "watchlist-hnsw": list_with(HnswSearch),
    "watchlist-as-opened": lambda photos: open_gallery(make_watchlist(photos)),
}
ENGINES: dict[str, Callable[[Photos], SearchEngine]] = {
    "exact": lambda photos: ExactSearch(make_templates(photos)),
    "hnsw": lambda photos: HnswSearch(make_templates(photos)),
    **GALLERIES,
}
every_engine = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)
every_gallery = pytest.mark.parametrize("make", GALLERIES.values(), ids=GALLERIES)


def templates(photos: Photos) -> np.ndarray:
    return make_templates(photos).vectors


def by_hand(photos: Photos, probe: np.ndarray, k: int) -> list[tuple[str, int, float]]:
    """Whom a probe resembles most, one similarity after another."""
    made, best = make_templates(photos), []
    for person, id_ in enumerate(made.ids.tolist()):
        similar = made.vectors[made.owners == person] @ probe
        best.append((id_, int(similar.argmax()) + 1, float(similar.max())))
    return sorted(best, key=lambda candidate: -candidate[2])[:k]


@every_engine
def test_the_best_people_are_found_with_the_photo_that_resembles_most(make: Callable[[Photos], SearchEngine]) -> None:
    photos = [1, 3, 2, 5, 1, 1, 4]
    probes = near(templates(photos))
    found = make(photos).search(probes, 4)
    assert len(found) == len(probes)
    for row, probe in enumerate(probes):
        wanted = by_hand(photos, probe, 4)
        assert [candidate[:2] for candidate in found.row(row)] == [candidate[:2] for candidate in wanted]
        np.testing.assert_allclose(found.scores[row], [score for _, _, score in wanted], atol=1e-5)


@every_engine
def test_nobody_comes_twice_however_many_photos_they_have(make: Callable[[Photos], SearchEngine]) -> None:
    found = make([30, 1, 1]).search(near(templates([30, 1, 1])[:3]), 3)
    for row in range(3):
        assert sorted(id_ for id_, _, _ in found.row(row)) == ids_of(3)


@every_engine
def test_an_empty_gallery_finds_nobody(make: Callable[[Photos], SearchEngine]) -> None:
    empty = make([])
    assert len(empty) == 0
    assert empty.search(unit(3), 5).ids.shape == (3, 0)


@every_engine
def test_no_probes_are_no_error(make: Callable[[Photos], SearchEngine]) -> None:
    assert make([1, 1]).search(unit(0), 5).scores.shape == (0, 2)


@every_engine
@pytest.mark.parametrize(("k", "columns"), [(99, 4), (4, 4), (1, 1), (0, 0), (-1, 0)])
def test_there_are_as_many_columns_as_were_asked_for_and_no_more_than_people(
    make: Callable[[Photos], SearchEngine], k: int, columns: int
) -> None:
    assert make([1, 2, 1, 1]).search(unit(2, seed=1), k).ids.shape == (2, columns)


@every_engine
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probe_that_is_no_number_is_refused(make: Callable[[Photos], SearchEngine], bad: float) -> None:
    probe = unit(1)
    probe[0, 3] = bad
    with pytest.raises(WatchlistError, match="NaN"):
        make([1]).search(probe, 1)


@every_engine
@pytest.mark.parametrize("shape", [(1, DIMENSION // 2), (DIMENSION,)])
def test_a_probe_of_another_model_is_refused(make: Callable[[Photos], SearchEngine], shape: tuple[int, ...]) -> None:
    with pytest.raises(WatchlistError, match="shape"):
        make([1]).search(np.zeros(shape, np.float32), 1)


@every_engine
def test_the_probes_stay_the_callers_own(make: Callable[[Photos], SearchEngine]) -> None:
    made, probes = make([1, 2]), unit(4, seed=3)
    before = probes.copy()
    found = made.search(probes, 2)
    scores = found.scores.copy()
    np.testing.assert_array_equal(probes, before)
    probes.fill(0)
    np.testing.assert_array_equal(found.scores, scores)


@every_engine
def test_threads_that_search_at_once_find_what_each_would_alone(make: Callable[[Photos], SearchEngine]) -> None:
    photos = [1] * 150 + [40]
    made, probes = make(photos), near(templates(photos), noise=0.4)
    # a large k makes the graph look further while others search
    asked = [(probes[at : at + 8], 1 if at % 16 else 60) for at in range(0, len(probes), 8)]

    def search(one: tuple[np.ndarray, int]) -> Candidates:
        return made.search(*one)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(search, asked * 4))
    alone = [search(one) for one in asked] * 4
    for one, other in zip(together, alone, strict=True):
        assert one.ids[:, 0].tolist() == other.ids[:, 0].tolist()
        np.testing.assert_allclose(one.scores[:, 0], other.scores[:, 0], atol=1e-6)


@every_engine
def test_what_was_wiped_finds_nobody(make: Callable[[Photos], SearchEngine]) -> None:
    made = make([1] * 20)
    made.wipe()
    made.wipe()
    assert len(made) == 0
    assert made.search(unit(1), 1).ids.shape == (1, 0)


@every_gallery
def test_what_is_known_of_a_candidate_is_asked_for_by_id(make: Callable[[Photos], Gallery]) -> None:
    photos = [1, 3, 2]
    made = make(photos)
    ((id_, photo, _),) = made.search(near(templates(photos)[2:3]), 1).row(0)
    assert (id_, photo) == ("N-1", 2)
    assert made.entry(id_).label == "Person N-1"
    assert made.picture(id_, photo) == b"\xff\xd8N-1/2"


@every_gallery
@pytest.mark.parametrize("photo", [0, -1, 3])
def test_a_photo_that_there_is_not_is_no_other_persons(make: Callable[[Photos], Gallery], photo: int) -> None:
    with pytest.raises(WatchlistError, match="no photo"):
        make([1, 2, 1]).picture("N-1", photo)


@every_gallery
def test_somebody_who_is_not_there_is_said_to_be_so(make: Callable[[Photos], Gallery]) -> None:
    made = make([1])
    for ask in (lambda: made.entry("N-7"), lambda: made.picture("N-7", 1)):
        with pytest.raises(WatchlistError, match="N-7 is not on"):
            ask()


@every_gallery
def test_nothing_is_known_of_anybody_once_it_is_wiped_but_a_picture_that_was_given_stays(
    make: Callable[[Photos], Gallery],
) -> None:
    made = make([1, 1])
    picture = made.picture("N-1", 1)
    made.wipe()
    assert picture == b"\xff\xd8N-1/1"
    with pytest.raises(WatchlistError):
        made.entry("N-1")
    with pytest.raises(WatchlistError):
        made.picture("N-1", 1)


@every_gallery
def test_a_gallery_says_what_it_holds_and_how_it_searches(make: Callable[[Photos], Gallery]) -> None:
    made = make([1, 2])
    assert (made.version, len(made)) == ("d" * 64, 2)
    assert made.kind in ("exact", "hnsw")
    assert made.recall == 1.0
