"""For all tests."""

from pathlib import Path
from typing import Any

import pytest
import structlog

SLOW_ROOM = Path(__file__).parent / "system"


def pytest_collection_modifyitems(items: Any) -> None:
    """The long tests of the whole appliance first, so that a second core has something to do until the end."""
    items.sort(key=lambda item: SLOW_ROOM not in item.path.parents)


@pytest.fixture(autouse=True)
def _logs_go_where_this_test_looks() -> None:
    """A command that a test ran in this process leaves its log on a stream that is closed by now."""
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
