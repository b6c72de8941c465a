"""A trial's folder is one that the appliance takes as it is."""

import getpass
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.config import live as configuration
from appliance.core.clock import utc_now
from appliance.core.errors import ConfigError, LfrError
from appliance.deployment import authority
from appliance.lab import trial
from appliance.security import keys


def test_its_record_is_complete_and_its_window_is_open_for_twelve_hours(tmp_path: Path) -> None:
    made = trial.make(tmp_path / "trial", "test:", "A. Shah")
    config = configuration.load(made.config)
    now = utc_now()
    assert authority.check(config, None, now, 0.55) == ()
    assert authority.window(config).at(now) == "open"
    assert config.deployment.ends - config.deployment.starts == timedelta(hours=12)
    assert config.deployment.authorised_by.name == "A. Shah"
    assert keys.load_signer(made.keys / "builder.key").name == "A. Shah"
    assert made.photos.is_dir()


@pytest.mark.parametrize("who", ["o'brien: #1", getpass.getuser(), "{id} $who"])
def test_any_name_can_be_written_down(tmp_path: Path, who: str) -> None:
    made = trial.make(tmp_path / "trial", "test:", who)
    assert configuration.load(made.config).deployment.authorised_by.name == who


def test_a_file_is_named_from_the_root_and_may_be_read_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = trial.make(tmp_path / "trial", "clips/a.mp4", "A. Shah", fast=True)
    camera = configuration.load(made.config).cameras[0]
    assert (camera.source, camera.pace) == (str(tmp_path / "clips/a.mp4"), "fast")
    assert made.source == camera.source


def test_a_folder_that_holds_a_configuration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lfr.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        trial.make(tmp_path, "test:", "A. Shah")
    assert [path.name for path in tmp_path.iterdir()] == ["lfr.yaml"]


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LfrError, match="cannot be prepared"):
        trial.make(tmp_path / "file" / "trial", "test:", "A. Shah")
