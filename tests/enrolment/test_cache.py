from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from appliance.core.errors import WatchlistError
from appliance.enrolment.cache import Cache
from appliance.enrolment.photo import PhotoResult

RECIPE = "0123456789abcdef"


def key(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def result(number: int) -> PhotoResult:
    return PhotoResult(
        verdict="accepted", template=np.full(8, number, np.float32), portrait=b"PORTRAIT%d" % number, thumbnail=b"T"
    )


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    cache = Cache(tmp_path / "x.cache")
    for number in range(5):
        cache.put(key(number), RECIPE, result(number))
    cache.close()
    return tmp_path / "x.cache"


def test_what_was_put_is_there_for_the_next_build(filled: Path) -> None:
    cache = Cache(filled)
    found = cache.get(key(3), RECIPE)
    assert found is not None
    assert found.portrait == b"PORTRAIT3"
    assert cache.get(key(3), "another recipe!!") is None
    assert cache.get(key(9), RECIPE) is None
    cache.close()


def test_it_is_private_and_shows_neither_photos_nor_their_hashes(filled: Path) -> None:
    content = filled.read_bytes()
    assert b"PORTRAIT" not in content
    assert key(1) not in content
    assert {path.stat().st_mode & 0o777 for path in (filled, filled.with_name("x.cache.key"))} == {0o600}


def test_a_cut_off_record_costs_only_itself(filled: Path) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[:-3])
    cache = Cache(filled)
    assert len(cache) == 4
    cache.put(key(7), RECIPE, result(7))
    cache.close()
    again = Cache(filled)
    assert len(again) == 5
    assert again.get(key(7), RECIPE) is not None
    again.close()


def test_an_altered_record_is_not_believed(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    content[40] ^= 1
    filled.write_bytes(content)
    cache = Cache(filled)
    assert len(cache) == 0
    cache.close()


def test_without_its_key_the_cache_starts_anew(filled: Path) -> None:
    filled.with_name("x.cache.key").unlink()
    cache = Cache(filled)
    assert len(cache) == 0
    cache.close()


def test_what_no_longer_belongs_to_the_list_is_dropped(filled: Path) -> None:
    cache = Cache(filled)
    cache.keep_only({key(1), key(2)}, RECIPE)
    cache.close()
    again = Cache(filled)
    assert len(again) == 2
    assert again.get(key(0), RECIPE) is None
    again.close()


def test_two_builds_do_not_write_one_cache(filled: Path) -> None:
    first = Cache(filled)
    with pytest.raises(WatchlistError, match="Another build"):
        Cache(filled)
    first.close()
