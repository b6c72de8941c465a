"""The report says what was decided, and the page to publish holds nothing that helps to evade or names anybody."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.alerts.journal import Journal
from appliance.audit.record import Act, sink
from appliance.core.errors import JournalError
from appliance.deployment import blue_list, end
from appliance.deployment.ending import certificate
from appliance.deployment.report import charts, counts, report
from appliance.deployment.state import Store, Tally, UsedList, add_list
from appliance.supervision.live_deployment import LiveDeployment


@pytest.fixture
def lived(on_disk: Any, journal: Any, now: Any) -> Any:
    """A deployment with a list, people, alerts, an outage and two walks."""
    store = Store(on_disk.alerts.state_dir)
    store.take_up(on_disk)
    listed = UsedList(
        digest="ab" * 32, sequence=2, opened_at=now, entries=500, photos=620, blue_ids=("BLUE-1",),
        by_category={"violence": 300, "missing": 150, "court_warrant": 50}, by_response={"red": 500},
        builder="intel-desk", approvals=("A. Shah", "R. Lowe"),
    )  # fmt: skip
    store.change(lambda state: add_list(state, listed), "watchlist.open", "appliance")
    facts = {
        "phase": "running", "started_at": now - timedelta(hours=1), "threshold": 0.55, "model_threshold": 0.55,
        "models": {"detector": "centerface@0918", "embedder": "mobilefacenet@87aa"},
    }  # fmt: skip
    store.change(lambda state: state.model_copy(update=facts), "deployment.start", "appliance")
    for act, minutes, details in (
        ("camera.down", -30, {"camera": "south-7", "detail": "no picture for 5 s"}),
        ("camera.up", -18, {"camera": "south-7"}),
        ("process.restarted", -5, {"worker": "camera/north"}),
        ("watchlist.refused", -4, {"reason": "/lists/croydon.lfrw was altered after it was sealed."}),
    ):
        store.audit.append(Act(act=act, by="appliance", at=now + timedelta(minutes=minutes), details=details))
    for minutes in (-20, -40):
        blue_list.record_walk(on_disk, "BLUE-1", "north", "PS Roy", now + timedelta(minutes=minutes))
    tally = Tally(deployment="croydon-1")
    for minutes in range(-60, 0, 10):
        tally.add("north", 150, now + timedelta(minutes=minutes), faces=400, frames=9000)
        tally.add("south-7", 50, now + timedelta(minutes=minutes), faces=90, frames=9000)
    tally.save(on_disk.alerts.state_dir)
    return on_disk


def test_the_figures_are_what_people_decided(lived: Any) -> None:
    made = report.build(lived).public
    assert (made.people_seen, made.alerts) == (1200, 5)
    assert (made.true_alerts, made.false_alerts, made.other_alerts, made.undecided_alerts) == (2, 1, 1, 1)
    assert made.false_alert_rate.rate == pytest.approx(1 / 1200)
    assert made.false_alert_rate.low < 1 / 1200 < made.false_alert_rate.high
    assert made.outcomes == {"arrested": 1}
    rows = {row.category: row for row in made.categories}
    assert (rows["violence"].on_list, rows["violence"].alerts, rows["violence"].false) == (300, 3, 1)
    assert (rows["court_warrant"].on_list, rows["court_warrant"].alerts) == (50, 0)
    assert (made.blue_list.cases, made.blue_list.of) == (1, 2)
    assert [outage.minutes for outage in made.outages] == [12.0]
    assert any("A new watchlist was refused once" in text for text in made.incidents)
    assert any("was altered after it was sealed" in text for text in report.build(lived).outages)


def test_the_page_to_publish_names_no_camera_person_alert_or_officer(lived: Any, tmp_path: Path) -> None:
    report.write(lived, tmp_path / "out")
    for name in ("report-public.html", "report-public.json"):
        text = (tmp_path / "out" / name).read_text()
        for secret in (
            "north", "south-7", "W-0", "W-1", "BLUE-1", "PC Lee", "PS Roy", "A. Shah", "intel-desk", "test:",
            "min_face_px", str(lived.alerts.state_dir), "label",
        ):  # fmt: skip
            assert not re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", text.replace("aria-label", "")), secret
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", text)


def test_the_pages_fetch_nothing_and_run_nothing(lived: Any, tmp_path: Path) -> None:
    end.end(lived)
    for path in [*report.write(lived), lived.alerts.state_dir / "certificate.html"]:
        if path.suffix == ".html":
            page = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?:|<script|<link|src=|@import|url\(", page)
            assert "default-src 'none'" in page


def test_what_people_wrote_is_shown_as_text(make_config: Any, tmp_path: Path) -> None:
    evil = '<script>alert(1)</script> & "North" End'
    config = make_config(deployment__location=evil, deployment__purpose=evil + " more words")
    Store(config.alerts.state_dir).take_up(config)
    pages = [path.read_text() for path in report.write(config, tmp_path) if path.suffix == ".html"]
    assert all("<script>" not in page and "&lt;script&gt;" in page for page in pages)


def test_the_full_one_tells_who_decided_what_and_that_the_record_is_whole(lived: Any) -> None:
    made = report.build(lived)
    decided = {(row.kind, row.value, row.by) for one in made.alerts for row in one.decisions}
    assert ("operator", "no_match", "PC Lee") in decided
    assert ("outcome", "arrested", "PS Roy") in decided
    assert made.seconds["operator"].median_s == 5.5
    assert [camera.name for camera in made.cameras] == ["north", "south-7"]
    assert made.cameras[1].out_minutes == 12.0
    assert made.audit_ok
    assert made.alerts_purged == 0


def test_the_figures_survive_wipe_and_purge(lived: Any, now: Any) -> None:
    before = report.build(lived).public
    end.end(lived)
    end.purge(lived, now=now + timedelta(hours=30))
    after = report.build(lived)
    assert not counts.journal_exists(lived)
    same = {
        "people_seen",
        "alerts",
        "true_alerts",
        "false_alerts",
        "categories",
        "outcomes",
        "alerts_by_slot",
        "blue_list",
    }
    assert after.public.model_dump(include=same) == before.model_dump(include=same)
    assert after.alerts_purged == 5
    assert after.public.alerts_purged_at is not None
    assert after.public.destruction_complete


def test_what_a_running_hub_purges_stays_in_the_figures(lived: Any, now: Any) -> None:
    before = report.build(lived)
    spec = LiveDeployment(lived).hub_spec(lived.alerts.state_dir)
    (lived.alerts.state_dir / counts.FIGURES_FILE).unlink()
    sink(lived.alerts.state_dir)("decision.operator", "PC Lee", {"decision": "d-1", "alert": "a", "seconds_taken": 9.0})
    spec.settings.before_purge()
    with Journal.open(lived.alerts.state_dir) as journal:
        ids = journal.purge(now)
    sink(lived.alerts.state_dir)("purge", "appliance", {"alerts": ids, "kept_hours": 24})
    after = report.build(lived)
    assert after.public.alerts_by_slot == before.public.alerts_by_slot
    assert after.public.blue_list == before.public.blue_list
    assert after.seconds["operator"].slowest_tenth_s == 9.0
    assert after.alerts_purged == len(ids) == 5
    end.end(lived)
    assert certificate.load(lived).alerts_purged == 5


def test_a_journal_that_cannot_be_read_is_said_and_not_counted_as_nothing(lived: Any) -> None:
    counts.freeze(lived)
    for path in lived.alerts.state_dir.glob("journal.db*"):
        path.write_bytes(b"this is no database " * 100)
    with pytest.raises(JournalError):
        report.build(lived)


def test_a_deployment_without_anything_yet_has_a_report(config: Any, tmp_path: Path) -> None:
    Store(config.alerts.state_dir).take_up(config)
    made = report.build(config).public
    assert made.false_alert_rate.rate is None
    assert len(report.write(config, tmp_path)) == 4
    assert "there is no rate" in (tmp_path / "report-public.html").read_text()


def test_a_rate_over_people_who_may_have_been_counted_twice_is_not_published(lived: Any, tmp_path: Path) -> None:
    tally = Tally.load(lived.alerts.state_dir)
    tally.add("north", 300, uncertain=300)
    tally.save(lived.alerts.state_dir)
    made = report.build(lived).public
    assert (made.people_seen, made.false_alert_rate.rate) == (1500, None)
    report.write(lived, tmp_path)
    page = (tmp_path / "report-public.html").read_text()
    assert "300 of 1,500 people seen may have been counted twice" in page
    assert "1 in 1,500" not in page


def test_writing_is_recorded_and_the_full_one_is_for_its_owner_only(lived: Any, tmp_path: Path) -> None:
    files = report.write(lived, tmp_path, by="Insp. Okafor")
    assert [path.stat().st_mode & 0o077 for path in files] == [0o044, 0o044, 0, 0]
    last = list(Store(lived.alerts.state_dir).audit.records())[-1]
    assert (last.act, last.by) == ("report", "Insp. Okafor")
    assert json.loads(files[1].read_text())["deployment"] == "croydon-1"


@pytest.mark.parametrize(
    ("value", "low", "high", "limit"),
    [
        (None, 0.0, 1.0, 0.001),
        (0.0, 0.0, 2e-4, 0.001),
        (1e-6, 1e-7, 1e-5, 1e-3),
        (0.5, 0.1, 0.9, 0.001),
        (1, 0.9, 1, 1),
    ],
)
def test_the_rate_is_drawn_within_the_page(value: Any, low: Any, high: Any, limit: Any) -> None:
    drawn = str(charts.rate(value, low, high, limit))
    assert all(0 <= float(x) <= 720 for x in re.findall(r'(?:x|x1|x2|cx)="(-?[\d.]+)"', drawn))


def test_a_day_without_people_and_a_day_beyond_its_window_are_drawn(now: Any) -> None:
    assert "0 people" in charts.day({}, {}, now, now)
    drawn = str(charts.day({"2026-11-21T10:00Z": 5}, {"2026-11-22T09:50Z": 2}, now, now, [(now, now)]))
    assert "nan" not in drawn.lower()


def test_bars_of_nothing_are_drawn() -> None:
    assert "<svg" in charts.bars({}, "none")
    assert 'width="1.0"' in charts.bars({"a": 0}, "zero")
