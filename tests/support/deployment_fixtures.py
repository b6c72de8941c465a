"""A deployment on a disk: configuration, keys, a sealed file, journal; small and without a camera."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Alert, Decision, EntryRef, ModelRefs, Sighting, TrackRef, new_id
from appliance.config import live as configuration

NOW = datetime.now(UTC).replace(microsecond=0)
SECRET = b"AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSXXXXXX"
SEALED = os.urandom(200_000)


def document(folder: Path, **changes: Any) -> Any:
    """A complete configuration whose window is open now."""
    made: dict[str, Any] = {
        "deployment": {
            "id": "croydon-1",
            "location": "North End, Croydon",
            "purpose": "Locate people wanted for violent and sexual offences",
            "legal_basis": "Common law policing powers; force policy 12",
            "necessity": "Wanted people were seen here and other means have failed",
            "proportionality": "Five hours in one street, everybody else is blurred and forgotten",
            "authorised_by": {
                "name": "A. Shah",
                "rank": "Superintendent",
                "at": (NOW - timedelta(hours=20)).isoformat(),
            },
            "signs": {"posted": True, "checked_by": "PC Lee", "at": (NOW - timedelta(hours=2)).isoformat()},
            "starts": (NOW - timedelta(hours=1)).isoformat(),
            "ends": (NOW + timedelta(hours=4)).isoformat(),
        },
        "watchlist": {"file": str(folder / "lists" / "croydon.lfrw"), "key": str(folder / "keys" / "seal.key")},
        "cameras": [
            {"name": "north", "source": "test:", "purpose": "people who walk up North End"},
            {"name": "south-7", "source": "test:", "purpose": "people who walk down North End"},
        ],
        "alerts": {"state_dir": str(folder / "state"), "keep_hours": 24},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            made.setdefault(section, {})[name] = value
        else:
            made[section] = value
    return made


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for remains looks into temporary folders: give it one of its own."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("appliance.core.run_folders.temporary_roots", lambda: [temporary])


@pytest.fixture
def make_config(tmp_path: Path) -> Any:
    """A function that makes configurations with changes such as `deployment__ends=…`."""

    def make(**changes: Any) -> Any:
        nested = document(tmp_path)
        for key, value in changes.items():
            section, _, name = key.partition("__")
            if name:
                nested.setdefault(section, {})[name] = value
            else:
                nested[section] = value
        return configuration.parse(nested, tmp_path / "van.yaml")

    return make


@pytest.fixture
def config(make_config: Any) -> Any:
    return make_config()


@pytest.fixture
def on_disk(config: Any) -> Any:
    """The same with key, sealed list and its companions in their places."""
    for path, data in (
        (config.watchlist.key, b"# public key: age1xyz\n" + SECRET + b"\n"),
        (config.watchlist.file, SEALED),
        (config.watchlist.file.with_name("croydon.lfrw.report.html"), b"thumbnails" * 50),
        (config.watchlist.file.with_name("croydon.lfrw.cache"), os.urandom(5000)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
    return config


def alert(camera: Any = "north", entry: Any = "W-1", category: Any = "violence", at: Any = NOW, **changes: Any) -> Any:
    made: dict[str, Any] = {
        "id": new_id(),
        "deployment": "croydon-1",
        "camera": camera,
        "captured_at": at,
        "entry": EntryRef(id=entry, category=category, response="red", label="label"),
        "score": 0.7,
        "threshold": 0.55,
        "track": TrackRef(id=1, first_seen=at, frames=3),
        "face_xyxy": (1, 2, 3, 4),
        "models": ModelRefs(detector="centerface@0", embedder="mobilefacenet@0"),
    }
    return Alert(**{**made, **changes})


@pytest.fixture
def journal(config: Any) -> Any:
    """A journal with five alerts, decisions on four, and the sighting of an officer."""
    with Journal.open(config.alerts.state_dir) as book:
        alerts = [
            alert(entry=f"W-{i}", camera=("north", "south-7")[i % 2], category=("violence", "missing")[i // 3],
                  at=NOW - timedelta(minutes=50 - 10 * i))
            for i in range(5)
        ]  # fmt: skip
        for one in alerts:
            book.append_alert(one, [b"scene", b"face", b"photo"])
        for i, (kind, value) in enumerate(
            [("operator", "match"), ("operator", "no_match"), ("operator", "match"), ("operator", "cannot_tell")]
        ):
            book.append_decision(
                Decision(alert_id=alerts[i].id, kind=kind, value=value, by="PC Lee", at=NOW, seconds_taken=4.0 + i)
            )
        book.append_decision(Decision(alert_id=alerts[0].id, kind="outcome", value="arrested", by="PS Roy", at=NOW))
        book.append_sighting(
            Sighting(id=new_id(), deployment="croydon-1", camera="north", captured_at=NOW - timedelta(minutes=20),
                     entry_id="BLUE-1", score=0.8, threshold=0.55)
        )  # fmt: skip
    return alerts


@pytest.fixture
def now() -> Any:
    """When the test session began; an hour into the window of `config`."""
    return NOW


@pytest.fixture
def secret() -> Any:
    """The line of the sealing key."""
    return SECRET


@pytest.fixture
def sealed() -> Any:
    """The content of the sealed list."""
    return SEALED


@pytest.fixture
def new_alert() -> Any:
    """A function that makes alerts."""
    return alert
