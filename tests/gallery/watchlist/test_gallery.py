"""An opened list as a gallery: wiping it overwrites all that others still hold of it."""

import numpy as np
from gallery_material import make_watchlist

from appliance.gallery.exact import ExactSearch
from appliance.gallery.watchlist.gallery import WatchlistGallery, open_gallery, templates_of


def test_wiping_overwrites_templates_and_portraits_and_wipes_the_engine() -> None:
    watchlist = make_watchlist([2, 1])
    templates, portrait = watchlist.templates, watchlist.portraits[1]
    engine = ExactSearch(templates_of(watchlist))
    made = WatchlistGallery(watchlist, engine)
    made.wipe()
    made.wipe()
    assert not templates.any()
    assert not any(portrait)
    assert watchlist.entries == ()
    assert (len(made), len(engine)) == (0, 0)


def test_the_engine_searches_the_lists_own_templates() -> None:
    watchlist = make_watchlist([1, 2])
    made = templates_of(watchlist)
    assert made.vectors is watchlist.templates
    assert made.ids.tolist() == ["N-0", "N-1"]


def test_the_picture_is_of_the_photo_that_resembled_most_and_no_view_of_the_list() -> None:
    watchlist = make_watchlist([1, 3, 1])
    made = open_gallery(watchlist)
    ((id_, photo, score),) = made.search(watchlist.templates[3:4].copy(), 1).row(0)
    picture = made.picture(id_, photo)
    assert (id_, photo, picture) == ("N-1", 3, b"\xff\xd8N-1/3")
    assert np.isclose(score, 1, atol=1e-6)
    watchlist.portraits[3][:] = bytes(len(watchlist.portraits[3]))
    assert picture == b"\xff\xd8N-1/3"


def test_the_version_is_that_of_the_file() -> None:
    assert open_gallery(make_watchlist([1], digest="a" * 64)).version == "a" * 64


def test_an_empty_list_finds_nobody_and_misses_nobody() -> None:
    made = open_gallery(make_watchlist([]))
    assert (len(made), made.kind, made.recall) == (0, "exact", 1.0)
