"""Whether a camera's frames are looked at often enough to follow people from one to the next."""

from __future__ import annotations

from collections import deque


class FrameRate:
    """How many frames a second are looked at, and a word of warning when they are too few to follow people."""

    _WINDOW_S = 10.0
    _LEAST = 3.0

    def __init__(self) -> None:
        self._looked_s: deque[float] = deque(maxlen=1000)

    def looked(self, now_s: float) -> None:
        """A frame is looked at now."""
        self._looked_s.append(now_s)

    def trouble(self, given_a_second: float) -> str:
        """A plain sentence when the machine is too slow for what the camera gives; else empty."""
        while self._looked_s and self._looked_s[-1] - self._looked_s[0] > self._WINDOW_S:
            self._looked_s.popleft()
        lasted_s = self._looked_s[-1] - self._looked_s[0] if self._looked_s else 0.0
        if lasted_s < self._WINDOW_S / 2:
            return ""
        rate = (len(self._looked_s) - 1) / lasted_s
        if rate >= self._LEAST or given_a_second < 2 * rate:
            return ""
        return (
            f"only {rate:.1f} of {given_a_second:.0f} frames a second are looked at; people may be missed or counted "
            "twice. The machine is too slow for its cameras."
        )
