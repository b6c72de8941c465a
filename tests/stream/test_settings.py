"""A hub is told what the configuration says, and can be told it in a new process."""

import pickle
from pathlib import Path

from appliance.config.live import parse
from appliance.lab.simulation.scenario import document
from appliance.stream.settings import HubSettings


def test_the_configuration_reaches_the_hub_and_survives_the_way_into_its_process(tmp_path: Path) -> None:
    sections = {"matching": {"cooldown_s": 7}, "alerts": {"keep_hours": 3}}
    config = parse(document(tmp_path, [{"name": "north", "source": "test:"}], **sections), tmp_path / "lfr.yaml")
    made = pickle.loads(pickle.dumps(HubSettings.from_config(config, tmp_path / "run")))
    assert (made.publish, made.replay) == (f"ipc://{tmp_path}/publish", f"ipc://{tmp_path}/replay")
    assert (made.cooldown_s, made.keep_hours) == (7, 3)
    assert (made.deployment, made.state_dir) == ("scenario", tmp_path / "state")
    assert made.cameras == f"ipc://{tmp_path}/run/hub"
    assert made.supervised
