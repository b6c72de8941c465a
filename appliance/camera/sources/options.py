"""The options of a source, as they follow its `?`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from appliance.core.credentials import mask_credentials
from appliance.core.errors import SourceUnusable


class SourceOptions:
    """The options after the `?` of a source, checked: an unknown one is an error that lists what is allowed.

    Parameters
    ----------
    source
        The source as it may be shown.
    query
        What follows the `?`.
    allowed
        Name of each option to what it means, in the words of an error message.

    Raises
    ------
    SourceUnusable
        For an unknown option, one given twice, or (from the getters) a value that is not allowed.
    """

    def __init__(self, source: str, query: str, allowed: Mapping[str, str]) -> None:
        self._source = source
        self._values: dict[str, str] = {}
        listed = "; ".join(f"{name}={meaning}" for name, meaning in allowed.items()) or "none"
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in allowed:
                raise SourceUnusable(f"{source}: there is no option {name!r} here.", f"Allowed: {listed}.")
            if name in self._values:
                raise SourceUnusable(f"{source}: the option {name!r} is given twice.")
            self._values[name] = value

    def text(self, name: str, default: str = "") -> str:
        """An option's value as it stands."""
        return self._values.get(name, default)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self._values.get(name, default)
        if value not in allowed:
            raise self._wrong(name, " or ".join(allowed))
        return value

    def flag(self, name: str) -> bool:
        """`1` or `0` (the default)."""
        return self.choice(name, "0", ("0", "1")) == "1"

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        text = self._values.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}")
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise self._wrong(name, f"a whole number from {low} to {high}")
        return int(value)

    def size(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        """`WIDTHxHEIGHT` in pixels, both even, from 64 to 7680."""
        text = self._values.get(name)
        if text is None:
            return default
        match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
        if match is None or not all(64 <= int(part) <= 7680 and int(part) % 2 == 0 for part in match.groups()):
            raise self._wrong(name, "WIDTHxHEIGHT in even pixels from 64 to 7680, like 1280x720")
        return int(match[1]), int(match[2])

    def _wrong(self, name: str, wanted: str) -> SourceUnusable:
        given = mask_credentials(self._values.get(name, ""))[:80]
        return SourceUnusable(f"{self._source}: {name}={given} is not allowed;", f"it must be {wanted}.")
