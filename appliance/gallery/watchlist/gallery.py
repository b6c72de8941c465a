"""An opened watchlist, ready to be searched."""

from __future__ import annotations

import numpy as np

from appliance.core.errors import WatchlistError
from appliance.core.types import Float32
from appliance.gallery.limits import RECALL_WANTED
from appliance.gallery.port import Candidates, SearchEngine
from appliance.gallery.recall import choose_engine
from appliance.gallery.templates import Templates
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.sealed import Watchlist


class WatchlistGallery:
    """A watchlist and what searches it: a `gallery.port.Gallery` that is replaced as a whole, between two frames.

    Parameters
    ----------
    watchlist
        Wiped with the gallery.
    engine
        Made from `templates_of(watchlist)`.
    recall
        As `Gallery.recall`.
    """

    def __init__(self, watchlist: Watchlist, engine: SearchEngine, recall: float = 1.0) -> None:
        self.version = watchlist.digest
        self.recall = recall
        self._watchlist = watchlist
        self._engine = engine
        self._positions = {entry.id: position for position, entry in enumerate(watchlist.entries)}

    @property
    def kind(self) -> str:
        """As `SearchEngine.kind`."""
        return self._engine.kind

    def __len__(self) -> int:
        return len(self._watchlist)

    def search(self, embeddings: Float32, k: int) -> Candidates:
        """As `SearchEngine.search`."""
        return self._engine.search(embeddings, k)

    def entry(self, id_: str) -> Entry:
        """As `Gallery.entry`."""
        return self._watchlist.entries[self._position(id_)]

    def picture(self, id_: str, photo: int) -> bytes:
        """As `Gallery.picture`."""
        low, high = np.searchsorted(self._watchlist.entry_of_template, self._position(id_) + np.arange(2)).tolist()
        if not 1 <= photo <= high - low:
            raise WatchlistError(f"There is no photo {photo} of {id_} on this watchlist.")
        return self._watchlist.portrait_of(low + photo - 1)

    def wipe(self) -> None:
        """As `SearchEngine.wipe`: the templates, the portraits, the entries and the engine's own copy."""
        self._watchlist.wipe()
        self._engine.wipe()
        self._positions = {}

    def _position(self, id_: str) -> int:
        try:
            return self._positions[id_]
        except KeyError:
            raise WatchlistError(f"{id_} is not on this watchlist.") from None


def templates_of(watchlist: Watchlist) -> Templates:
    """The watchlist's templates as a search engine takes them; not copied."""
    ids = np.array([entry.id for entry in watchlist.entries], object)
    return Templates(watchlist.templates, watchlist.entry_of_template, ids)


def open_gallery(watchlist: Watchlist, recall_wanted: float = RECALL_WANTED) -> WatchlistGallery:
    """Make an opened list searchable: by a graph, or by the exact search where the graph misses too much.

    Takes a thread for as long as it builds and checks the graph, and lets others run. The caller reads `kind` and
    `recall` and tells of them. An empty list gives a gallery in which nobody is found.
    """
    return WatchlistGallery(watchlist, *choose_engine(templates_of(watchlist), recall_wanted))
