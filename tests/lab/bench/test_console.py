"""What cannot be measured here is said before anything is started."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from appliance.core.errors import LfrError
from appliance.lab.bench import console


def test_a_browser_that_is_not_there_is_named_with_its_remedy(tmp_path: Path) -> None:
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed, which would be said first")
    lacks = console.missing(str(tmp_path / "chromium"))
    assert lacks is not None
    assert (lacks.problem, lacks.remedy) == (f"{tmp_path / 'chromium'} is missing.", "apt install chromium")
    with pytest.raises(LfrError, match="is missing"):
        console.measure(chromium=str(tmp_path / "chromium"))


def test_playwright_that_is_not_there_is_said_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    lacks = console.missing(str(tmp_path / "chromium"))
    assert lacks is not None
    assert "playwright" in str(lacks)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_a_share_of_ordered_waits(share: float, value: float) -> None:
    assert console._share([1.0, 2.0, 3.0, 4.0], share) == value


def test_of_no_waits_there_is_no_share() -> None:
    assert console._share([], 0.5) != console._share([], 0.5), "not a number"
