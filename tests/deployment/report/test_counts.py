"""The counts outlive what they were counted from, and never fall."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_lines import earlier_act

from appliance.alerts.journal import Journal
from appliance.audit.acts import act_of
from appliance.core.errors import FileError, JournalError
from appliance.deployment.report import counts
from appliance.deployment.store import Store


def test_without_a_journal_there_are_zeros_and_no_alert_is_held(config: Any) -> None:
    assert not counts.journal_exists(config)
    assert counts.alerts_held(config) == 0
    found = counts.gather(config)
    assert (found.deployment, found.alerts, found.total("false"), found.slots) == ("croydon-1", 0, 0, {})


def test_alerts_are_counted_by_camera_category_judgement_and_slot(config: Any, journal: Any) -> None:
    found = counts.gather(config)
    assert found.alerts == counts.alerts_held(config) == 5
    assert found.by_camera == {"north": 3, "south-7": 2}
    assert found.by_category == {"missing": 2, "violence": 3}
    assert {how: found.total(how) for how in ("true", "false", "other", "undecided")} == {
        "true": 2, "false": 1, "other": 1, "undecided": 1,
    }  # fmt: skip
    assert found.decisions["outcome"] == {"arrested": 1}
    assert {camera: sum(slots.values()) for camera, slots in found.slots.items()} == {"north": 3, "south-7": 2}
    assert found.sightings == 1
    assert (found.seconds["operator"].n, found.seconds["operator"].median_s) == (4, 5.5)


def test_another_deployments_alerts_are_not_counted(config: Any, new_alert: Any) -> None:
    with Journal.open(config.alerts.state_dir) as journal:
        journal.append_alert(new_alert(deployment="yesterday-1"), [b"a", b"b", b"c"])
    assert counts.gather(config).alerts == 0


def test_a_purge_takes_nothing_from_what_was_kept(config: Any, journal: Any, now: Any) -> None:
    before = counts.freeze(config)
    with Journal.open(config.alerts.state_dir) as book:
        assert len(book.purge(now)) == 5
    after = counts.freeze(config)
    assert counts.alerts_held(config) == 0
    same = {"alerts", "by_camera", "judged", "decisions", "slots", "seconds"}
    assert after.model_dump(include=same) == before.model_dump(include=same)
    assert counts.load(config).model_dump(include=same) == before.model_dump(include=same)


def test_a_journal_that_cannot_be_read_leaves_what_was_kept(config: Any, journal: Any) -> None:
    kept = counts.freeze(config)
    (config.alerts.state_dir / "journal.db").write_bytes(b"no database " * 500)
    with pytest.raises(JournalError):
        counts.gather(config)
    ours = {"gathered_at"}  # the file holds no finer moment than milliseconds
    assert counts.freeze(config).model_dump(exclude=ours) == kept.model_dump(exclude=ours)


def test_a_hub_that_is_about_to_purge_is_not_held_up_by_a_disk_that_is_full(
    config: Any, journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise FileError(Path("figures.json"), "written", OSError(28, "No space left on device"))

    monkeypatch.setattr(counts, "write_private", full)
    counts.keep(config)


@pytest.mark.parametrize("content", ["", "{}", '{"deployment": "yesterday-1", "alerts": 7}', "[]"])
def test_kept_counts_that_are_damaged_or_anothers_are_zeros(config: Any, content: str) -> None:
    config.alerts.state_dir.mkdir(parents=True)
    (config.alerts.state_dir / counts.FIGURES_FILE).write_text(content)
    assert counts.load(config).alerts == 0


def test_how_long_a_decision_took_is_known_from_the_record_when_its_alert_is_purged(config: Any) -> None:
    Journal.open(config.alerts.state_dir).close()
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    for name, alert, took in (("d-1", "a", 2.0), ("d-2", "b", 9.0)):
        details = {"decision": name, "alert": alert, "seconds_taken": took}
        store.audit.append(earlier_act("decision.operator", details), "PC Lee")
    store.audit.append(earlier_act("decision.undo", {"decision": "d-3", "alert": "b", "undoes": "d-2"}), "PC Lee")
    found = counts.gather(config).seconds["operator"]
    assert (found.n, found.median_s, found.slowest_tenth_s) == (1, 2.0, 2.0)


def test_walks_that_were_found_stay_found(config: Any, journal: Any, now: Any) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    walk = {"entry": "BLUE-1", "camera": "north", "at": now - timedelta(minutes=20), "deployment": "croydon-1"}
    n = store.audit.append(act_of("blue.walk", walk), "PS Roy").n
    assert counts.freeze(config).walks_found == [n]
    with Journal.open(config.alerts.state_dir) as book:
        book.purge(now + timedelta(hours=1))
    assert counts.freeze(config).walks_found == [n]
