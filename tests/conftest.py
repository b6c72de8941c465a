"""For all tests."""

from pathlib import Path

SLOW_ROOM = Path(__file__).parent / "system"


def pytest_collection_modifyitems(items):
    """The long tests of the whole appliance first, so that a second core has something to do until the end."""
    items.sort(key=lambda item: SLOW_ROOM not in item.path.parents)
