"""The README's camera of one's own in five minutes, line by line, with a clip for a camera."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from own_ports import own_port

from appliance.config import live as configuration
from appliance.vision.install import ensure_picture

ROOT = Path(__file__).parents[2]
SECTION = "## A camera of your own in five minutes"
STREET = "street:?order=hopper&seed=3&gap=0.5&fps=6&extras=0&size=960x540"


def lines_of_the_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").split(SECTION)[1].split("\n## ")[0]
    return [line.strip().split("   #")[0].strip() for line in text.splitlines() if line.startswith("    ")]


def lfr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "appliance", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=140)


@pytest.mark.timeout(300)
def test_the_lines_of_the_readme_lead_to_an_alert(tmp_path: Path) -> None:
    portrait = ensure_picture("hopper")
    (tmp_path / "PHOTOS" / "jane").mkdir(parents=True)
    (tmp_path / "PHOTOS" / "jane" / "1.jpg").write_bytes(portrait.read_bytes())
    done = []
    for line in lines_of_the_readme():
        line = line.replace("PHOTOS/*", "PHOTOS/jane")
        line = re.sub(r"--source \S+", f"--source '{STREET}' --fast", line)
        command, *arguments = shlex.split(line)
        if command != "lfr":
            if command == "cp":
                subprocess.run([command, *arguments], cwd=tmp_path, check=True)
            continue
        result = lfr(tmp_path, *arguments, *(["--json"] if arguments[0] == "alerts" else []))
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        done.append(arguments[0])
        if arguments[0] == "init":
            # Another port than the default, so that the test runs beside an appliance.
            path = tmp_path / "my-trial" / "lfr.yaml"
            ports = [own_port() for _ in range(3)]
            text = path.read_text().replace(
                "{state_dir: state,",
                f"{{state_dir: state, publish: 'tcp://127.0.0.1:{ports[0]}', replay: 'tcp://127.0.0.1:{ports[1]}',",
            )
            path.write_text(f"{text}\nmetrics: {{listen: '127.0.0.1:{ports[2]}'}}\n")
        if arguments[0] == "watchlist":
            assert "two others approve" not in result.stdout, "a trial asks for no approvals"
    assert done == ["init", "watchlist", "doctor", "run", "alerts"]
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["entry"]["id"] for one in alerts if one["topic"] == "alert"] == ["jane"]


def test_a_folder_that_has_a_configuration_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "lfr.yaml").write_text("mine")
    result = lfr(tmp_path, "init", ".")
    assert result.returncode == 1
    assert "exists already" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lfr.yaml"]
    assert (tmp_path / "lfr.yaml").read_text() == "mine"


def test_an_empty_source_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    result = lfr(tmp_path, "init", "trial", "--source", " ")
    assert result.returncode == 1
    assert "The source is empty" in result.stderr
    assert not (tmp_path / "trial").exists()


@pytest.mark.parametrize("source", ["rtsp://van:s3cret@10.0.0.21/1", "a clip: with 'quotes'.mp4", "/dev/video0"])
def test_any_source_can_be_written_down_and_a_password_is_not_shown(tmp_path: Path, source: Any) -> None:
    result = lfr(tmp_path, "init", "trial", "--source", source)
    assert result.returncode == 0
    assert "s3cret" not in result.stdout + result.stderr
    camera = configuration.load(tmp_path / "trial" / "lfr.yaml").cameras[0]
    assert camera.source == (source if source[0] == "/" or "://" in source else str(tmp_path / source))
    assert (tmp_path / "trial" / "lfr.yaml").stat().st_mode & 0o077 == 0
