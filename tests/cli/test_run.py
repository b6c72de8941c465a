"""`lfr run` and `lfr doctor` as a person types them: exit codes and plain sentences."""

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.cli import main
from appliance.supervision.run_folder import RunLock

ROOT = Path(__file__).parents[2]


def lfr(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50)


def write(folder: Path, **sections: Any) -> Path:
    document = {
        "deployment": {"id": "test", "starts": "2026-01-01T10:00:00Z", "ends": "2026-01-01T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_typing_mistake_in_the_configuration_is_one_sentence(tmp_path: Path) -> None:
    done = lfr("run", "-c", write(tmp_path, camera=[]))
    assert done.returncode == 1
    assert "camera is not a key that exists here" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_incomplete_record_keeps_the_cameras_from_starting(tmp_path: Path) -> None:
    window = {"id": "test", "starts": "2026-01-01T10:00:00Z", "ends": "2099-01-01T16:00:00Z"}
    done = lfr("run", "-c", write(tmp_path, deployment={**window, "starts": "2099-01-01T10:00:00Z"}))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state" / "journal.db").exists()


def test_a_second_run_is_refused_with_the_first_ones_process_id(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "state")
    try:
        done = lfr("run", "-c", write(tmp_path))
    finally:
        lock.close()
    assert done.returncode == 1
    assert "is already using" in done.stderr


def test_a_state_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file stands in its place")
    done = lfr("run", "-c", write(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"lfr: alerts.state_dir {tmp_path / 'state'} cannot be used: file exists. "
        "It must be a folder that this user may write to, on a disk with room."
    ]


def test_a_file_that_cannot_be_written_is_one_sentence_wherever_it_was_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/report.html")

    monkeypatch.setattr("appliance.cli.app", full)
    monkeypatch.setattr(
        "appliance.core.telemetry.configure_logging", lambda process: None
    )  # it would outlive this test
    monkeypatch.setattr("appliance.cli.commands.register", lambda app: None)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("lfr: /somewhere/report.html: no space left on device.")


def test_the_doctor_answers_in_json_and_fails_when_something_would_stop_a_deployment(tmp_path: Path) -> None:
    done = lfr("doctor", "-c", write(tmp_path), "--json", "--no-cameras")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert {"configuration", "record", "window", "watchlist"} <= {one["area"] for one in answer["findings"]}


def test_the_doctor_explains_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    done = lfr("doctor", "-c", tmp_path / "none.yaml")
    assert done.returncode == 1
    assert "✗" in done.stdout
    assert "does not exist" in done.stdout
