"""Deployments for tests of the whole appliance."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance_run import short_folder
from console_fixtures import stage  # noqa: F401
from supervised_run import start_run  # noqa: F401


@pytest.fixture
def folder() -> Iterator[Any]:
    made = short_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def test_data() -> Path:
    where = os.environ.get("LFR_TEST_DATA")
    if not where:
        pytest.skip("set LFR_TEST_DATA to the folder with faces/ and clips/")
    return Path(where).resolve()


@pytest.fixture(scope="session")
def faces(test_data: Any) -> list[Path]:
    """Folders of people with several photos, in order of their names."""
    return [one for one in sorted((test_data / "faces").iterdir()) if len(list(one.glob("*.jpg"))) >= 2]
