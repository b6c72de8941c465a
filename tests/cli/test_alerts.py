"""`lfr alerts` and `lfr decide`, as a person and as a program use them."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from alerts_material import alert, decision, pictures, running, settings, short_folder, sighting
from typer.testing import CliRunner
from waiting import until

from appliance.alerts.event import Event
from appliance.alerts.journal import Journal
from appliance.alerts.messages import Decision
from appliance.cli import app, commands
from appliance.core.errors import LfrError
from appliance.core.telemetry import Meter
from appliance.stream import history, subscriber
from appliance.stream.outbox import Outbox

commands.register(app)


@pytest.fixture
def folder() -> Iterator[Any]:
    with short_folder() as made:
        yield made


@pytest.fixture
def config(folder: Path) -> Any:
    made = settings(folder)
    document = {
        "deployment": {"id": "street-1", "starts": "2026-01-01T10:00:00Z", "ends": "2026-01-01T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": str(made.state_dir), "publish": made.publish, "replay": made.replay},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def two(folder: Path) -> Any:
    """A journal with two alerts, a decision on the first and a sighting; no hub."""
    made = [alert("N-1", category="violence"), alert("N-2", category="[b]fraud")]
    with Journal.open(folder / "state") as journal:
        for one in made:
            journal.append_alert(one, pictures())
        journal.append_decision(decision(made[0].id, value="no_match", by="PC Singh"))
        journal.append_sighting(sighting())
    return made


def lfr(*arguments: Any, fails: Any = False) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if fails:
        assert isinstance(result.exception, LfrError), result.output
        return str(result.exception)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.stdout


def decide(config: Any, *arguments: Any, **kwargs: Any) -> Any:
    return lfr("decide", "-c", config, "--by", "PC Jones", "--reason", "same scar", *arguments, **kwargs)


class TestAlerts:
    def test_the_table_says_colour_in_words_and_what_was_decided_without_a_hub(self, config: Any, two: Any) -> None:
        shown = lfr("alerts", "-c", config)
        first, second = (line for line in shown.splitlines() if "RED" in line)
        assert "no match by PC Singh" in first
        assert "undecided" in second
        assert "[b]fraud" in second
        assert two[0].id in first
        assert "0.71 / 0.55" in first
        assert "sightings of the blue list: 1" in shown

    def test_json_is_one_event_a_line_in_order(self, config: Any, two: Any) -> None:
        events = [json.loads(line) for line in lfr("alerts", "-c", config, "--json").splitlines()]
        assert [event["topic"] for event in events] == ["alert", "alert", "decision", "sighting"]
        assert [event["seq"] for event in events] == [1, 2, 3, 4]
        assert events[0]["entry"]["id"] == "N-1"

    def test_since_leaves_out_what_came_before_but_knows_its_decisions(self, config: Any, two: Any) -> None:
        lines = lfr("alerts", "-c", config, "--json", "--since", 2).splitlines()
        assert [json.loads(line)["seq"] for line in lines] == [3, 4]
        assert "N-1" not in lfr("alerts", "-c", config, "--since", 1)

    def test_where_nothing_was_ever_run_it_says_so(self, config: Any) -> None:
        assert "There is no journal" in lfr("alerts", "-c", config, fails=True)

    def test_another_machine_asks_the_hub(self, folder: Path, config: Any) -> None:
        with (
            running(settings(folder, state_dir=folder / "elsewhere")) as hub,
            Outbox(hub.settings.cameras, "n", Meter()) as box,
        ):
            box.send_alert(alert("N-7"), pictures())
            assert box.drained(30)
            assert "N-7" in lfr("alerts", "-c", config)

    @pytest.mark.timeout(120)
    def test_follow_shows_the_past_then_the_present_through_a_restart_of_the_hub(
        self, folder: Path, config: Any, two: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("appliance.stream.hub.SUPERVISOR_SILENT_S", 0.3)
        monkeypatch.setattr("appliance.stream.hub.STATUS_EVERY_S", 0.2)
        shown: list[int] = []
        stops = threading.Event()
        original, and_on = subscriber.Subscriber.__iter__, history.and_on

        def until_stopped(self: Any) -> Any:
            threading.Thread(target=lambda: (stops.wait(110), self._queue.close()), daemon=True).start()
            return original(self)

        def noted(*arguments: Any) -> Iterator[Any]:
            for item in and_on(*arguments):
                yield item
                shown.extend([item.seq] if isinstance(item, Event) else [])  # the command has come back for the next

        def wait_for(seq: int) -> None:
            until(lambda: seq in shown, f"event {seq} is shown", within_s=40)

        monkeypatch.setattr(subscriber.Subscriber, "__iter__", until_stopped)
        monkeypatch.setattr(history, "and_on", noted)
        told: list[str] = []
        command = threading.Thread(
            target=lambda: told.append(lfr("alerts", "-c", config, "--json", "--follow", "--since", 1))
        )
        command.start()
        try:
            wait_for(4)
            for seq in (5, 6):
                with running(settings(folder)) as hub, Outbox(hub.settings.cameras, "north", Meter()) as box:
                    box.send_alert(alert(), pictures())
                    assert box.drained(30)
                    wait_for(seq)
            time.sleep(0.3)  # for what must not come a second time
        finally:
            stops.set()
            command.join()
        assert [json.loads(line)["seq"] for line in told[0].splitlines()] == [2, 3, 4, 5, 6]


class TestDecide:
    @pytest.fixture
    def hub(self, folder: Path, two: Any) -> Iterator[Any]:
        with running(settings(folder)) as made:
            yield made

    def test_a_decision_is_recorded_by_sequence_number_or_id(self, config: Any, hub: Any, two: Any) -> None:
        assert decide(config, 2, "--match") == "match, by PC Jones: recorded as number 5.\n"
        made = Decision.model_validate_json(decide(config, two[1].id, "--outcome", "arrested", "--json"))
        assert (made.alert_id, made.kind, made.value, made.by) == (two[1].id, "outcome", "arrested", "PC Jones")
        assert made.reason == "same scar"

    def test_who_decided_first_is_named(self, config: Any, hub: Any) -> None:
        assert "PC Singh said no match" in decide(config, 1, "--match", fails=True)

    def test_undo_makes_room_and_is_a_record(self, config: Any, hub: Any) -> None:
        assert "undone: operator" in decide(config, 1, "--undo", "operator")
        assert "nothing to undo" in decide(config, 1, "--undo", "operator", fails=True)
        assert "match, by" in decide(config, 1, "--match")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ((3, "--match"), "Number 3 is no alert"),
            ((99, "--match"), "Number 99 is no alert"),
            (("nobody", "--match"), "no alert nobody"),
            ((2, "--outcome", "released"), "says confirmed or"),
            ((2, "--undo", "everything"), "no decision of kind"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_said_in_a_sentence(self, config: Any, hub: Any, arguments: Any, sentence: Any) -> None:
        assert sentence in decide(config, *arguments, fails=True)

    def test_a_long_reason_becomes_the_note(self, config: Any, hub: Any) -> None:
        reason = "the scar over the left eye, and he answered to the name " * 2
        command = ["decide", "-c", config, 2, "--match", "--by", "PC Jones", "--reason", reason, "--json"]
        made = Decision.model_validate_json(lfr(*command))
        assert (made.reason, made.note) == ("", reason.strip())

    @pytest.mark.parametrize("choice", [[], ["--match", "--no-match"], ["--match", "--undo", "operator"]])
    def test_exactly_one_decision_is_wanted_and_none_is_the_default(self, config: Any, two: Any, choice: Any) -> None:
        command = ["decide", "-c", str(config), "1", "--by", "PC Jones", "--reason", "x", *choice]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert "exactly one decision" in result.output

    def test_without_a_hub_it_says_what_to_start(self, config: Any, two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("appliance.stream.client.HubClient.__init__.__kwdefaults__", {"timeout_s": 0.3})
        assert "Is lfr run running?" in decide(config, two[1].id, "--match", fails=True)
