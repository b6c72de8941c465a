"""What hub, console and cameras are told when they are spawned."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.config import live as configuration
from appliance.supervision.worker_specs import LiveSpecs
from appliance.supervision.workers import WorkerSpec

ENDS = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


def config_of(folder: Path, **changes: Any) -> Any:
    document = {
        "deployment": {
            "id": "test",
            "starts": "2026-11-21T10:00:00Z",
            "ends": ENDS.isoformat(),
            "location": "A street",
        },
        "watchlist": {"file": "list.lfrw", "key": "keys/seal.key"},
        "cameras": [{"name": "north", "source": "test:"}, {"name": "south", "source": "street:"}],
        "alerts": {"state_dir": "state"},
        **changes,
    }
    return configuration.parse(document, folder / "config.yaml")


def test_a_camera_opens_the_accepted_copy_with_the_keys_beside_the_operators_file(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    spec = LiveSpecs(config, lambda: ENDS).camera("south", tmp_path, tmp_path / "accepted.lfrw")
    made = pickle.loads(pickle.dumps(spec.settings()))
    section = made.watchlist
    assert section.file == tmp_path / "accepted.lfrw"
    assert (section.builders_dir, section.approvers_dir) == (tmp_path / "keys/builders", tmp_path / "keys/approvers")
    assert (made.process, spec.name, made.camera.name) == ("camera/south", "camera/south", "south")


def test_an_extension_counts_at_the_next_start_of_a_camera_and_the_run_stays_the_same(tmp_path: Path) -> None:
    ends = [ENDS, ENDS + timedelta(hours=1)]
    specs = LiveSpecs(config_of(tmp_path), lambda: ends.pop(0))
    spec = specs.camera("north", tmp_path, tmp_path / "accepted.lfrw")
    first, second = spec.settings(), spec.settings()
    assert (first.ends, second.ends) == (ENDS, ENDS + timedelta(hours=1))
    assert first.run_id == second.run_id == specs.run_id


def test_what_rooms_above_offer_is_handed_to_the_processes(tmp_path: Path) -> None:
    console = WorkerSpec("console", "fake:serve")
    asked: list[Path] = []

    def make_console(runtime: Path) -> WorkerSpec:
        asked.append(runtime)
        return console

    specs = LiveSpecs(config_of(tmp_path), lambda: ENDS, make_console, {"street": "some.lab:open"})
    assert specs.console(tmp_path) is console
    assert asked == [tmp_path]
    assert specs.camera("north", tmp_path, tmp_path).settings().simulated == {"street": "some.lab:open"}


def test_without_a_console_from_above_there_is_none(tmp_path: Path) -> None:
    assert LiveSpecs(config_of(tmp_path), lambda: ENDS).console(tmp_path) is None


def test_what_the_hub_is_told_can_be_sent_to_its_process(tmp_path: Path) -> None:
    spec = LiveSpecs(config_of(tmp_path), lambda: ENDS).hub(tmp_path)
    assert spec.settings.deployment == "test"
    assert pickle.loads(pickle.dumps(spec)).name == "hub"
