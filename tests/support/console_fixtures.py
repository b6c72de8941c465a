"""One stage (hub, console, street) for the whole room's tests; each test uses alerts of its own."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from console_stage import open_stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Any]:
    os.environ["OMP_NUM_THREADS"] = "1"
    with open_stage() as opened:
        yield opened
