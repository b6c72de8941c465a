"""One stage (hub, console, street) for the whole room's tests; each test uses alerts of its own."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from console_stage import open_stage
from waiting import until


@pytest.fixture(scope="session")
def stage() -> Iterator[Any]:
    os.environ["OMP_NUM_THREADS"] = "1"
    with open_stage() as opened:
        yield opened


@pytest.fixture(scope="session")
def anna(stage: Any) -> Iterator[Any]:
    """An operator's browser."""
    with stage.client("anna") as client:
        yield client


@pytest.fixture(scope="session")
def sam(stage: Any) -> Iterator[Any]:
    """A supervisor's browser."""
    with stage.client("sam") as client:
        yield client


def _published(stage: Any, anna: Any) -> Any:
    """A new alert that the console has heard of; looked at by nobody."""
    made = stage.publish(quick=True)
    until(lambda: anna.get(f"/alerts/{made.id}").status_code == 200, "the console shows the alert")
    return made


@pytest.fixture
def alert(stage: Any, anna: Any) -> Any:
    """An alert of this test alone."""
    return _published(stage, anna)


@pytest.fixture(scope="session")
def shown(stage: Any, anna: Any) -> Any:
    """An alert that no test changes."""
    return _published(stage, anna)
