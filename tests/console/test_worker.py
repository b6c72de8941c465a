"""The console's process is made from the configuration, where it has one, and making it imports no console."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from appliance.config import live as configuration
from appliance.console.settings import ConsoleSettings
from appliance.console.worker import console_worker
from appliance.core.reference import find


def config_of(folder: Path, **sections: Any) -> configuration.Config:
    document = {
        "deployment": {"id": "test", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
        **sections,
    }
    return configuration.parse(document, folder / "config.yaml")


def test_without_a_console_in_the_configuration_there_is_no_process(tmp_path: Path) -> None:
    assert console_worker(config_of(tmp_path), tmp_path) is None


def test_its_settings_reach_a_spawned_process_and_its_entry_exists(tmp_path: Path) -> None:
    spec = console_worker(config_of(tmp_path, console={"listen": "127.0.0.1:8081"}), tmp_path, "once")
    assert spec is not None
    settings = pickle.loads(pickle.dumps(spec.settings))
    assert isinstance(settings, ConsoleSettings)
    assert (settings.listen, settings.runtime, settings.demo_token) == ("127.0.0.1:8081", tmp_path, "once")
    assert callable(find(spec.target))


def test_making_it_imports_no_web_server() -> None:
    program = (
        "import sys, appliance.console.worker\n"
        "print([name for name in ('uvicorn', 'starlette', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
