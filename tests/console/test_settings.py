"""What a console process is given: from a configuration, with or without a section of its own."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from appliance.config import live as configuration
from appliance.console.settings import ConsoleSettings


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """A configuration with changes of its console."""

    def make(**console: Any) -> Any:
        document = {
            "deployment": {
                "id": "croydon-1",
                "location": "North End",
                "starts": "2026-11-21T10:00:00Z",
                "ends": "2026-11-21T15:00:00Z",
            },
            "watchlist": {"file": "list.lfrw", "key": "seal.key"},
            "cameras": [{"name": "north", "source": "test:"}],
            "alerts": {"state_dir": "state", "keep_hours": 12},
        }
        if console:
            document["console"] = console
        return configuration.parse(document, tmp_path / "van.yaml")

    return make


def test_a_configuration_without_a_console_gives_one_on_this_machine_alone(config: Any) -> None:
    settings = ConsoleSettings.from_config(config())
    assert settings.listen.startswith("127.0.0.1:")
    assert (settings.deployment, settings.location, settings.keep_hours) == ("croydon-1", "North End", 12)
    assert (settings.tls, settings.runtime, settings.demo_token) == (False, None, None)
    assert settings.url == f"http://{settings.listen}/"


def test_what_the_console_section_says_is_taken(config: Any, tmp_path: Path) -> None:
    read = config(listen="127.0.0.1:9443", session_hours=4, idle_minutes=10)
    settings = ConsoleSettings.from_config(read, tmp_path, "once")
    assert (settings.listen, settings.session_hours, settings.idle_minutes) == ("127.0.0.1:9443", 4, 10)
    assert (settings.runtime, settings.demo_token) == (tmp_path, "once")
    assert (settings.publish, settings.replay) == (read.alerts.publish, read.alerts.replay)


def test_with_a_certificate_the_address_says_so() -> None:
    settings = ConsoleSettings("10.0.0.5:8443", "p", "r", Path("users.json"), tls_cert=Path("console.pem"))
    assert settings.tls
    assert settings.url == "https://10.0.0.5:8443/"


def test_the_demonstrations_token_is_in_no_log_line_and_goes_to_the_spawned_process() -> None:
    settings = ConsoleSettings("127.0.0.1:1", "p", "r", Path("users.json"), demo_token="once-only-token")
    assert "once-only-token" not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)).demo_token == "once-only-token"
