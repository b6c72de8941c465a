"""The sections of a benchmark are named once, and each measures something."""

import subprocess
import sys
from pathlib import Path

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
