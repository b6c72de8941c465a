"""What the reference pages say is what the code does: metrics, messages, refusals, limits, rooms."""

import json
import re
from datetime import timedelta
from pathlib import Path

import metrics_table
import pytest
import rooms_picture
import site_hooks
import wire_tables
from pydantic import BaseModel

import appliance
from appliance.alerts.messages import DECISION_VALUES, MAX_HEADER_BYTES, MAX_PICTURE_BYTES
from appliance.core.telemetry import LATENCY_BUCKETS_S
from appliance.stream import replays as hub_replays
from appliance.stream import requests, wire
from appliance.supervision.metrics import CounterTotals, Exporter

PACKAGE = Path(appliance.__file__).parent
DOCS = PACKAGE.parent / "docs"
WIRE = (DOCS / "wire-contract.md").read_text(encoding="utf-8")
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
ROOMS = rooms_picture.Rooms.of(PACKAGE)


def test_the_metrics_page_has_every_exported_name_with_its_labels() -> None:
    exporter = Exporter(CounterTotals(), ("north",), list, dict)
    table = metrics_table.table()
    for family in exporter.collect():
        ending = "_total" if family.type == "counter" else ""
        assert f"| `{family.name}{ending}` | {family.type} |" in table
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{family.name}{ending}`")]
        for sample in family.samples:
            assert all(f"`{label}`" in row for label in sample.labels if label != "le")
    assert metrics_table.buckets().count(",") == len(LATENCY_BUCKETS_S) - 1


@pytest.mark.parametrize("model", [*wire_tables.MESSAGES, *wire_tables.REQUESTS], ids=lambda model: str(model.__name__))
def test_every_field_on_the_wire_has_a_row_with_its_meaning(model: type[BaseModel]) -> None:
    tables = wire_tables.tables((model,))
    own = tables.split(f"### {model.__name__}\n")[1].split("\n### ")[0]
    for name, field in model.model_fields.items():
        (row,) = [line for line in own.splitlines() if line.startswith(f"| `{field.alias or name}` |")]
        assert field.description
        assert field.description in row


def test_the_parts_of_a_message_have_tables_of_their_own_and_each_only_one() -> None:
    headings = re.findall(r"^### (\w+)$", wire_tables.tables(wire_tables.MESSAGES), re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert {"Alert", "EntryRef", "TrackRef", "ModelRefs", "Status", "CameraState", "Degradation"} <= set(headings)


def test_a_field_without_a_meaning_makes_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(BaseModel):
        field: str

    monkeypatch.setattr(wire_tables, "MESSAGES", (Mute,))
    with pytest.raises(ValueError, match="the field field has no description"):
        wire_tables.tables((Mute,))


def test_the_schema_is_one_document_that_names_every_message() -> None:
    definitions = json.loads(wire_tables.schema_json())["$defs"]
    for model in (*wire_tables.MESSAGES, *wire_tables.REQUESTS):
        assert definitions[model.__name__]["properties"].keys() == {
            field.alias or name for name, field in model.model_fields.items()
        }


def test_every_refusal_has_a_row_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", WIRE.split("### Errors")[1].split("### ")[0], re.MULTILINE)
    assert sorted(rows) == sorted(wire_tables.CODES)


def test_every_kind_of_decision_is_listed_with_its_values() -> None:
    table = wire_tables.decision_values()
    for kind, values in DECISION_VALUES.items():
        assert f"| `{kind}` | {', '.join(f'`{value}`' for value in values)} |" in table


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("events of one replay", wire.REPLAY_LIMIT),
        ("replays at once", hub_replays.STREAMS_OF_A_CLIENT),
        ("replays at once", hub_replays.MAX_STREAMS),
        ("a header or request", MAX_HEADER_BYTES),
        ("the JSON of a `record`", wire.MAX_REQUEST_BYTES),
        ("a picture", MAX_PICTURE_BYTES),
        ("a decision's time", int(timedelta(seconds=requests.CLOCK_TOLERANCE_S).total_seconds())),
    ],
)
def test_the_limits_are_those_of_the_code(what: str, limit: int) -> None:
    (row,) = [line for line in WIRE.split("### Limits")[1].splitlines() if line.startswith(f"| {what}")]
    assert re.search(rf"\b{limit:,}\b", row)


def test_the_picture_has_every_room_and_every_import_and_no_other() -> None:
    picture = rooms_picture.svg(ROOMS)
    assert set(re.findall(r'data-room="(\w+)"', picture)) == {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    drawn: dict[str, set[str]] = {room: set() for room in ROOMS.uses}
    for start, end in re.findall(r'data-arrow="(\w+) → (\w+)"', picture):
        drawn[start].add(end)
        assert end in ROOMS.uses[start], "an arrow that no import stands for"

    def reached(room: str) -> set[str]:
        return {other for end in drawn[room] for other in {end, *reached(end)}}

    for room, used in ROOMS.uses.items():
        assert used <= reached(room), f"imports of {room} that no arrow leads to"


def test_every_arrow_of_the_picture_points_downward() -> None:
    picture = rooms_picture.svg(ROOMS)
    heights = {room: float(y) for room, y in re.findall(r'data-room="(\w+)"><rect x="[\d.-]+" y="([\d.]+)"', picture)}
    for start, end in re.findall(r'data-arrow="(\w+) → (\w+)"', picture):
        assert heights[start] < heights[end]


def test_an_import_inside_a_function_is_an_arrow_too(tmp_path: Path) -> None:
    for room, text in {"low": "", "high": "def f():\n    from house.low import x\n"}.items():
        (tmp_path / "house" / room).mkdir(parents=True)
        (tmp_path / "house" / room / "__init__.py").touch()
        (tmp_path / "house" / room / "module.py").write_text(text)
    assert rooms_picture.Rooms.of(tmp_path / "house").uses == {"low": frozenset(), "high": frozenset({"low"})}


def test_the_architecture_says_what_each_room_is_for() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", ARCHITECTURE.split("## Rooms")[1].split("## ")[0], re.MULTILINE)
    assert sorted(rows) == sorted(ROOMS.uses)
    stages = re.findall(r"\| `(\w+)`(?:, `(\w+)`)? \|$", ARCHITECTURE.split("## The life of a frame")[1], re.MULTILINE)
    assert {room for pair in stages for room in pair if room} <= set(ROOMS.uses)


def test_a_mark_that_nobody_makes_stops_the_build() -> None:
    with pytest.raises(KeyError):
        site_hooks.fill("<!-- generated: nothing -->")
