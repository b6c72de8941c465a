"""Pictures of alerts, kept for a short while within a bound of bytes.

They come with the alert itself; only what is not here any more, or was published before this console began to listen,
is asked of the hub, when somebody looks.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

MAX_BYTES = 32_000_000
KEEP_S = 300.0

NAMES = ("scene", "face", "photo")
"""Which pictures an alert carries, in the order of the stream."""

Fetch = Callable[[str], Awaitable[Sequence[bytes]]]


class Pictures:
    """The pictures that came or were looked at last; what leaves is overwritten.

    Parameters
    ----------
    fetch
        An alert's id to its three JPEGs in the order of `NAMES`; raises `UnknownAlert` or `StreamError`.
    """

    def __init__(self, fetch: Fetch, max_bytes: int = MAX_BYTES, keep_s: float = KEEP_S) -> None:
        self._fetch = fetch
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._kept: OrderedDict[str, tuple[float, list[bytearray]]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[None]] = {}
        self.size_bytes = 0

    async def get(self, alert_id: str, name: str) -> bytes:
        """One picture, JPEG.

        Raises
        ------
        UnknownAlert, StreamError
            As the hub answers.
        """
        return (await self.all(alert_id))[NAMES.index(name)]

    async def all(self, alert_id: str) -> list[bytes]:
        """All three, in the order of `NAMES`."""
        while alert_id not in self._kept:
            task = self._asked.get(alert_id)
            if task is None:
                task = self._asked[alert_id] = asyncio.create_task(self._load(alert_id))
            await asyncio.shield(task)
        self._kept.move_to_end(alert_id)
        return [bytes(picture) for picture in self._kept[alert_id][1]]

    def keep(self, alert_id: str, pictures: Sequence[bytes]) -> None:
        """Keep an alert's pictures, in the order of `NAMES`; those that were used longest ago make room."""
        self.forget(alert_id)
        self._kept[alert_id] = (time.monotonic(), [bytearray(picture) for picture in pictures])
        self.size_bytes += sum(map(len, pictures))
        while self.size_bytes > self._max_bytes and len(self._kept) > 1:
            self.forget(next(iter(self._kept)))

    async def _load(self, alert_id: str) -> None:
        try:
            self.keep(alert_id, await self._fetch(alert_id))
        finally:
            del self._asked[alert_id]

    def forget(self, alert_id: str) -> None:
        """Overwrite and drop one alert's pictures."""
        _, pictures = self._kept.pop(alert_id, (0.0, []))
        for picture in pictures:
            self.size_bytes -= len(picture)
            picture[:] = bytes(len(picture))

    def expire(self) -> None:
        """Forget what came more than `keep_s` ago."""
        oldest = time.monotonic() - self._keep_s
        for alert_id in [key for key, (at, _) in self._kept.items() if at < oldest]:
            self.forget(alert_id)

    def clear(self) -> None:
        """Forget all of them."""
        for alert_id in list(self._kept):
            self.forget(alert_id)
