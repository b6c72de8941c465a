"""What Prometheus reads: every name from the start, sums that never go down, nothing that stands for a person."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from appliance.core.errors import LfrError
from appliance.core.telemetry import LATENCY_BUCKETS_S, Meter
from appliance.supervision.metrics import GAUGES, CounterTotals, Exporter

ROOT = Path(__file__).parents[2]
CONTRACT = {
    *("lfr_frames_total", "lfr_frames_dropped_total", "lfr_people_seen_total", "lfr_faces_total", "lfr_alerts_total"),
    *("lfr_decisions_total", "lfr_false_alert_rate", "lfr_stage_seconds", "lfr_alert_latency_seconds"),
    *("lfr_nonmatch_dwell_seconds", "lfr_camera_up", "lfr_camera_last_frame_age_seconds", "lfr_restarts_total"),
    *("lfr_watchlist_entries", "lfr_index_recall", "lfr_execution_provider", "lfr_deployment_seconds_remaining"),
    "lfr_build_info",
}


def exporter(totals: CounterTotals, gauges: Any = (), restarts: Any = None) -> Exporter:
    made = Exporter(totals, ["north"], lambda: gauges, lambda: restarts or {})
    made.categories = ("theft",)
    return made


def scrape(made: Exporter) -> dict[Any, float]:
    text = generate_latest(made.registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_name_of_the_contract_is_there_from_the_start() -> None:
    text = generate_latest(exporter(CounterTotals()).registry).decode()
    assert {name for name in CONTRACT if f"# HELP {name} " not in text} == set()
    found = scrape(exporter(CounterTotals()))
    assert found["lfr_alerts_total", (("camera", "north"), ("category", "theft"))] == 0
    for counted in ("lfr_outbox_lost_total", "lfr_previews_dropped_total"):
        assert found[counted, (("camera", "north"),)] == 0
        assert f"# HELP {counted} Reported by a process" not in text
    assert found["lfr_nonmatch_dwell_seconds_count", (("camera", "north"),)] == 0


def test_counters_and_histograms_go_on_over_incarnations_and_gauges_do_not() -> None:
    totals, made = CounterTotals(), None
    for number, incarnation in enumerate(("a", "b"), start=1):
        meter = Meter()
        meter.count("lfr_people_seen_total", 5, camera="north")
        meter.observe("lfr_alert_latency_seconds", 0.12, camera="north")
        meter.observe("lfr_alert_latency_seconds", 99.0, camera="north")
        meter.set("lfr_console_pages", number)
        totals.take("camera/north", incarnation, meter.snapshot())
        made = scrape(exporter(totals))
        assert made["lfr_people_seen_total", (("camera", "north"),)] == 5 * number
        assert made["lfr_alert_latency_seconds_count", (("camera", "north"),)] == 2 * number
        assert made["lfr_alert_latency_seconds_bucket", (("camera", "north"), ("le", "0.15"))] == number
        assert made["lfr_alert_latency_seconds_sum", (("camera", "north"),)] == pytest.approx(99.12 * number)
        assert made["lfr_console_pages", (("camera", "north"),)] == number
    totals.lost("camera/north")
    after = scrape(exporter(totals))
    assert after["lfr_people_seen_total", (("camera", "north"),)] == 10
    assert not [key for key in after if key[0] == "lfr_console_pages"]


def test_a_late_heartbeat_of_a_dead_process_counts_nothing_twice() -> None:
    totals, meter = CounterTotals(), Meter()
    meter.count("lfr_frames_total", 7, camera="north")
    totals.take("camera/north", "a", meter.snapshot())
    totals.lost("camera/north")
    totals.take("camera/north", "a", meter.snapshot())
    totals.take("camera/north", "b", [])
    totals.take("camera/north", "a", meter.snapshot())
    assert totals.total("lfr_frames", camera="north") == 7


def test_what_the_hub_restores_from_the_journal_is_not_added_up() -> None:
    totals = CounterTotals()
    for incarnation, count in (("a", 3), ("b", 4)):
        meter = Meter()
        meter.count("lfr_alerts_total", count, camera="north", category="theft")
        totals.take("hub", incarnation, meter.snapshot())
    assert totals.total("lfr_alerts", camera="north") == 4


def test_a_label_that_could_stand_for_a_person_is_never_exported() -> None:
    meter = Meter()
    meter.count("lfr_alerts_total", camera="north", category="theft", entry="N-1042")
    totals = CounterTotals()
    totals.take("hub", "a", meter.snapshot())
    assert b"N-1042" not in generate_latest(exporter(totals).registry)


def test_scrapes_are_answered_on_the_address_given_and_a_taken_port_is_a_plain_error() -> None:
    made = exporter(CounterTotals())
    port = made.serve("127.0.0.1:0")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert b"lfr_build_info" in answer.read()
        with pytest.raises(LfrError, match="cannot be used"):
            exporter(CounterTotals()).serve(f"127.0.0.1:{port}")
    finally:
        made.close()


def test_histogram_buckets_are_those_of_the_meter() -> None:
    found = scrape(exporter(CounterTotals()))
    bounds = {labels[1][1] for (name, labels) in found if name == "lfr_alert_latency_seconds_bucket"}
    assert bounds == {str(bound) for bound in LATENCY_BUCKETS_S} | {"+Inf"}


def exported_names() -> set[str]:
    text = generate_latest(exporter(CounterTotals(), restarts={"hub": 0}).registry).decode()
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | set(GAUGES)
    return names | {f"{name}_{end}" for name in names for end in ("bucket", "count", "sum")}


@pytest.mark.parametrize("file", ["config/prometheus/alerts.yml", "config/grafana/lfr.json"])
def test_rules_and_dashboard_only_name_metrics_that_exist(file: Any) -> None:
    text = (ROOT / file).read_text()
    used = set(re.findall(r"\blfr_[a-z_]+", text))
    assert used
    assert used <= exported_names()


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    rules = yaml.safe_load((ROOT / "config/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]


def test_the_dashboard_is_a_grafana_dashboard() -> None:
    board = json.loads((ROOT / "config/grafana/lfr.json").read_text())
    assert board["panels"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
