"""The sections of a benchmark are named once, and each measures something."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance.core.errors import LfrError
from appliance.lab.bench import sections
from appliance.lab.bench.sections import SECTIONS, Asked, chosen, measure


def test_sections_are_taken_in_the_order_asked_for() -> None:
    assert chosen("watchlist, pipeline,") == ["watchlist", "pipeline"]
    assert chosen("") == []
    assert chosen(",".join(SECTIONS)) == list(SECTIONS)


def test_an_unknown_section_is_named_with_those_that_there_are() -> None:
    with pytest.raises(LfrError, match=r"no section brakes, engine\. There are: pipeline") as error:
        chosen("engine,pipeline,brakes")
    assert all(name in str(error.value) for name in SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_name_has_its_measurement(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_pipeline", "_run", "_watchlist", "_stream", "_console"):
        monkeypatch.setattr(sections, name, lambda *_, name=name: {"measured": name})
    assert measure(section, Asked()) == {"measured": f"_{section}"}


def test_the_rate_of_building_is_left_out_without_photos_and_says_how_to_have_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from appliance.lab.bench import watchlist

    monkeypatch.setattr(watchlist, "as_json", lambda made: made)
    monkeypatch.setattr(watchlist, "measure_load", lambda entries: {"entries": entries})
    monkeypatch.setattr(watchlist, "measure_build", lambda photos: {"photos": len(photos)})
    without = measure("watchlist", Asked(entries=7))
    assert without["load"] == {"entries": 7}
    assert "--faces" in without["build"]["skipped"]
    for i in range(3):
        (tmp_path / f"{i}.jpg").touch()
    assert measure("watchlist", Asked(faces=tmp_path))["build"] == {"photos": 3}


def test_naming_the_sections_loads_no_model_and_no_picture_library() -> None:
    code = (
        "import sys, appliance.lab.bench.sections; print(sorted({'cv2', 'numpy', 'onnxruntime'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def no_measurement(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Names of the photos that each build was given."""
    from appliance.lab.bench import watchlist

    built: list[list[str]] = []

    def measure_build(photos: list[Path]) -> dict[str, Any]:
        built.append([path.name for path in photos])
        return {}

    monkeypatch.setattr(watchlist, "as_json", lambda made: made)
    monkeypatch.setattr(watchlist, "measure_load", lambda entries: {"entries": entries})
    monkeypatch.setattr(watchlist, "measure_build", measure_build)
    return built


def test_photos_are_what_enrolment_takes_for_one_in_order_and_not_too_many(
    no_measurement: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    person = tmp_path / "P"
    person.mkdir()
    for name in ("d.jpeg", "b.PNG", "a.JPG", "c.jpg", "notes.txt"):
        (person / name).touch()
    measure("watchlist", Asked(faces=tmp_path))
    monkeypatch.setattr(sections, "MAX_PHOTOS", 2)
    measure("watchlist", Asked(faces=tmp_path))
    assert no_measurement == [["a.JPG", "b.PNG", "c.jpg", "d.jpeg"], ["a.JPG", "b.PNG"]]


@pytest.mark.parametrize("name", ["", "none"])
def test_a_folder_without_photos_is_named_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    from appliance.lab.bench import watchlist

    monkeypatch.setattr(watchlist, "measure_load", lambda _: pytest.fail("measured"))
    with pytest.raises(LfrError, match="holds no photos") as error:
        measure("watchlist", Asked(faces=tmp_path / name))
    assert str(tmp_path / name) in error.value.problem


def test_the_console_that_cannot_be_measured_is_skipped_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.lab.bench import console

    lacks = LfrError("chromium is missing.", "apt install chromium")
    monkeypatch.setattr(console, "missing", lambda: lacks)
    monkeypatch.setattr(console, "measure", lambda: pytest.fail("measured"))
    assert measure("console", Asked()) == {"skipped": "chromium is missing. apt install chromium"}
    monkeypatch.setattr(console, "missing", lambda: None)
    monkeypatch.setattr(console, "measure", lambda: {"alerts": 200})
    assert measure("console", Asked()) == {"alerts": 200}


def test_the_pipeline_is_measured_on_one_core_with_the_list_and_face_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    from appliance.config.sections import Models
    from appliance.lab.bench import frame

    @dataclasses.dataclass
    class Figures:
        frame_ms_p50: float

    threads: list[int] = []
    given: list[tuple[Any, ...]] = []

    def measure_pipeline(*what: Any) -> Figures:
        given.append(what)
        return Figures(7.5)

    monkeypatch.setattr(cv2, "setNumThreads", threads.append)
    monkeypatch.setattr(frame, "measure_pipeline", measure_pipeline)
    assert measure("pipeline", Asked(entries=12, min_face_px=33)) == {"frame_ms_p50": 7.5}
    assert threads == [1]
    assert given == [(sections.STREET, 25.0, 12, Models(), 33)]


def test_the_run_lasts_as_long_as_asked_and_tells_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.lab.bench import run

    def measure_run(seconds: float, said: sections.Said) -> run.RunFigures:
        said("under way")
        return run.RunFigures(seconds, 3, 4, 12.5, (1, 2), (3, 4), {"hub": 50.0}, 1, 2, 0.5, 0.1)

    told: list[str] = []
    monkeypatch.setattr(run, "measure_run", measure_run)
    found = measure("run", Asked(seconds=9), told.append)
    assert told == ["under way"]
    assert json.loads(json.dumps(found))["dwell_ms"] == [3, 4]
    assert (found["seconds"], found["memory_mib"]) == (9, {"hub": 50.0})


def test_the_streams_latency_is_of_two_hundred_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.lab.bench import stream

    monkeypatch.setattr(stream, "measure_latency", lambda alerts: stream.StreamLatency(alerts, 0.01, 0.02, 500))
    assert measure("stream", Asked()) == {"alerts": 200, "p50_s": 0.01, "p99_s": 0.02, "alerts_per_second": 500}
