"""A deployment for a measurement is a real one: a configuration that loads, keys, a sealed list with approvals."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config.live import load
from appliance.core.errors import ConfigError, WatchlistError
from appliance.gallery.watchlist import container
from appliance.lab.simulation import scenario
from appliance.vision.install import ensure_picture

CAMERAS = [{"name": "north", "source": "test:"}]


@pytest.fixture
def hopper() -> scenario.Person:
    return scenario.Person("P-1", (ensure_picture("hopper"),), label="Grace Hopper")


def test_everything_that_a_run_needs_is_made(tmp_path: Path, hopper: scenario.Person) -> None:
    path = scenario.make(tmp_path, scenario.document(tmp_path, CAMERAS), [hopper])
    config = load(path)
    assert config.watchlist.key.exists()
    sealed = container.read(config.watchlist.file)
    assert sealed.header.entries == 1
    assert sealed.header.deployment == config.deployment.id
    assert len(sealed.approvals) == config.watchlist.approvals == 2


def test_a_list_built_again_is_a_newer_one_and_keeps_the_keys(tmp_path: Path, hopper: scenario.Person) -> None:
    config = load(scenario.make(tmp_path, scenario.document(tmp_path, CAMERAS), [hopper]))
    before, key = container.read(config.watchlist.file).header, config.watchlist.key.read_bytes()
    more = scenario.Person("P-2", (ensure_picture("astronaut"),))
    assert scenario.prepare(tmp_path, scenario.document(tmp_path, CAMERAS)).watchlist == config.watchlist
    result = scenario.build(tmp_path, config, [hopper, more])
    assert [outcome.taken for outcome in result.outcomes] == [1, 1]
    after = container.read(config.watchlist.file).header
    assert (after.entries, config.watchlist.key.read_bytes()) == (2, key)
    assert after.sequence > before.sequence


def test_sections_replace_and_extend_what_the_document_has(tmp_path: Path) -> None:
    made = scenario.document(tmp_path, CAMERAS, matching={"cooldown_s": 0}, alerts={"keep_hours": 2})
    assert made["matching"] == {"cooldown_s": 0}
    assert made["alerts"]["keep_hours"] == 2
    assert made["alerts"]["state_dir"] == "state"
    assert made["cameras"][0]["purpose"]


def test_a_document_that_is_no_configuration_and_people_without_a_face_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        scenario.prepare(tmp_path, {"cameras": []})
    (tmp_path / "grey.png").write_bytes(b"not a picture")
    with pytest.raises(WatchlistError, match="No photo could be taken"):
        scenario.make(
            tmp_path, scenario.document(tmp_path, CAMERAS), [scenario.Person("P-1", (tmp_path / "grey.png",))]
        )
