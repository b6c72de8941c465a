"""What mkdocs calls while it builds: fills the marked places of the pages from the code, so that none can be stale."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alarm_sections
import metrics_table
import rooms_picture
import wire_tables

from appliance.config import live, reference

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"<!-- generated: ([a-z-]+) -->")

MAKERS: dict[str, Callable[[], str]] = {
    "client": lambda: f"```python\n{(ROOT / 'docs/examples/subscriber.py').read_text(encoding='utf-8')}```",
    "alarms": alarm_sections.sections,
    "configuration": lambda: reference.page(live.Config),
    "decision-values": wire_tables.decision_values,
    "messages": lambda: wire_tables.tables(wire_tables.MESSAGES),
    "metrics": metrics_table.table,
    "metrics-buckets": metrics_table.buckets,
    "requests": lambda: wire_tables.tables(wire_tables.REQUESTS),
    "rooms": lambda: rooms_picture.svg(rooms_picture.Rooms.of(ROOT / "appliance")),
}
"""What stands for each mark `<!-- generated: NAME -->`."""

FILES: dict[str, Callable[[], str]] = {"reference/alert-stream.schema.json": wire_tables.schema_json}
"""Files that are made with the site."""


def fill(markdown: str) -> str:
    """The page with every mark replaced.

    Raises
    ------
    KeyError
        A mark that nobody makes.
    """
    return MARK.sub(lambda found: MAKERS[found[1]](), markdown)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated files."""
    from mkdocs.structure.files import File

    for path, make in FILES.items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill a page."""
    return fill(markdown)
