"""The page of alarms has every one that there is, with what to do, and no other."""

import ast
import re
from pathlib import Path

import alarm_sections
import pytest

import appliance
from appliance.gallery.limits import RECALL_WANTED
from appliance.supervision import health
from appliance.supervision.metrics import COUNTERS, GAUGES, HISTOGRAMS
from appliance.supervision.run_status import CODES

PACKAGE = Path(appliance.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "alarms.md").read_text(encoding="utf-8")
RULES = alarm_sections.rules()


def said_codes() -> set[str]:
    """Every code of a degradation that the code says: written where it is made, or in the catalogue."""
    found = set(CODES)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if name == "_in_trouble":
                given = node.args[:1]
            elif name != "Degradation":
                continue
            found |= {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^### (\S+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_degradation_has_a_section_and_no_section_is_of_none() -> None:
    degradations = PAGE.split("## Degradations")[1].split("## Prometheus alarms")[0]
    assert set(sections(degradations)) == said_codes()


@pytest.mark.parametrize("code", sorted(said_codes()))
def test_a_degradation_says_what_it_means_and_what_to_do(code: str) -> None:
    paragraphs = [part for part in sections(PAGE)[code].strip().split("\n\n") if not part.startswith("## ")]
    assert len(paragraphs) >= 2


def test_every_rule_of_prometheus_has_a_section_with_severity_meaning_and_remedy() -> None:
    found = sections(alarm_sections.sections())
    assert list(found) == [rule["alert"] for rule in RULES]
    for rule in RULES:
        text = found[rule["alert"]]
        assert alarm_sections.SEVERITIES[rule["labels"]["severity"]] in text
        assert rule["annotations"]["action"] in text
        assert " ".join(rule["expr"].split()) in text
        assert "{{" not in text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_asks_for_metrics_and_codes_that_there_are(rule: dict[str, str]) -> None:
    known = {f"{name}_total" for name in COUNTERS} | set(GAUGES) | {f"{name}_bucket" for name in HISTOGRAMS}
    assert set(re.findall(r"\blfr_[a-z_]+", rule["expr"])) <= known
    assert set(re.findall(r'code="([a-z]+)"', rule["expr"])) <= set(CODES)


def test_the_limits_that_the_page_names_are_those_of_the_code() -> None:
    assert f"Below {health.DISK_CRITICAL_BYTES / 1e6:.0f} MB it is critical" in sections(PAGE)["disk"]
    assert f"within {health.CLOSING.total_seconds() / 60:.0f} minutes" in sections(PAGE)["window"]
    assert f"less than {RECALL_WANTED:.1%}".replace("%", " %") in sections(PAGE)["recall"]
