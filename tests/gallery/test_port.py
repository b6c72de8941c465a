"""Candidates that contradict themselves are refused when made; probes that no engine can take, before it is asked."""

from typing import Any

import numpy as np
import pytest

from appliance.core.errors import WatchlistError
from appliance.gallery.port import Candidates, check_probes

IDS = [["A", "B"], ["B", ""]]
PHOTOS = [[1, 3], [2, 0]]
SCORES = [[0.9, 0.2], [0.4, -1.0]]


def made(ids: Any = IDS, photos: Any = PHOTOS, scores: Any = SCORES) -> Candidates:
    return Candidates(np.array(ids, object), np.array(photos, np.int32), np.array(scores, np.float32))


def test_a_row_is_read_best_first_without_the_places_that_nobody_takes() -> None:
    found = made()
    assert len(found) == 2
    assert [(id_, photo) for id_, photo, _ in found.row(0)] == [("A", 1), ("B", 3)]
    ((id_, photo, score),) = found.row(1)
    assert (id_, photo) == ("B", 2)
    assert score == pytest.approx(0.4)
    assert all(type(id_) is str and type(photo) is int for id_, photo, _ in found.row(0))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0), (3, 2)])
def test_nobody_is_valid_for_any_number_of_probes(shape: tuple[int, int]) -> None:
    nobody = Candidates.none(*shape)
    assert nobody.ids.shape == nobody.photos.shape == nobody.scores.shape == shape
    assert [nobody.row(probe) for probe in range(shape[0])] == [[]] * shape[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ids": IDS[:1]}, "ids must be object of shape"),
        ({"photos": [[1, 3, 1], [2, 0, 0]]}, "photos must be int32"),
        ({"scores": [0.9, 0.4]}, "shape"),
        ({"scores": [[0.2, 0.9], [0.4, -1.0]]}, "best first"),
        ({"scores": [[1.1, 0.2], [0.4, -1.0]]}, "cosine"),
        ({"scores": [[np.nan, 0.2], [0.4, -1.0]]}, "cosine"),
        ({"ids": [["A", ""], ["B", ""]]}, "an id and the number"),
        ({"photos": [[1, 3], [0, 0]]}, "an id and the number"),
    ],
)
def test_candidates_that_contradict_themselves_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(**wrong)


def test_another_type_than_agreed_is_refused() -> None:
    with pytest.raises(ValueError, match="ids must be object"):
        Candidates(np.array(IDS), np.array(PHOTOS, np.int32), np.array(SCORES, np.float32))
    with pytest.raises(ValueError, match="photos must be int32"):
        Candidates(np.array(IDS, object), np.array(PHOTOS, np.int64), np.array(SCORES, np.float32))


def test_probes_are_made_fit_for_an_engine() -> None:
    wide = np.arange(12, dtype=np.float64).reshape(2, 6)[:, ::2]
    fit = check_probes(wide, 3)  # type: ignore[arg-type]
    assert fit.dtype == np.float32
    assert fit.flags.c_contiguous
    np.testing.assert_array_equal(fit, wide)
    assert check_probes(np.zeros((0, 3), np.float32), 3).shape == (0, 3)


@pytest.mark.parametrize("probe", [[[1.0, np.nan]], [[np.inf, 0.0]], [[0.0, -np.inf]]])
def test_probes_that_are_no_numbers_are_refused(probe: list[list[float]]) -> None:
    with pytest.raises(WatchlistError, match="NaN or infinity"):
        check_probes(np.array(probe, np.float32), 2)
