"""A small configuration for the doctor, and what it said of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from appliance.config import live as configuration
from appliance.doctor.findings import Finding


def config_of(folder: Path, **sections: Any) -> Any:
    document = {
        "deployment": {"id": "test", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:?size=320x240&fps=20"}],
        "alerts": {"state_dir": "state", "publish": "ipc:///tmp/p", "replay": "ipc:///tmp/r"},
        "metrics": {"listen": "127.0.0.1:1"},
        **sections,
    }
    return configuration.parse(document, folder / "config.yaml")


def levels(findings: Iterable[Finding]) -> list[str]:
    return [finding.level for finding in findings]
