"""The deployment's commands, as a person or a timer calls them."""

import fcntl
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from present import present
from typer.testing import CliRunner

from appliance.cli import deployment as commands
from appliance.core.errors import LfrError
from appliance.deployment.store import Store

commands_app = typer.Typer()
commands.register(commands_app)
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def van(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A configuration file with key and list beside it."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("appliance.core.run_folders.temporary_roots", lambda: [temporary])
    document = {
        "deployment": {
            "id": "croydon-1",
            "location": "North End",
            "starts": (NOW - timedelta(hours=1)).isoformat(),
            "ends": (NOW + timedelta(hours=3)).isoformat(),
        },
        "watchlist": {"file": "croydon.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
    }
    path = tmp_path / "van.yaml"
    path.write_text(yaml.safe_dump(document))
    (tmp_path / "seal.key").write_text("AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ\n")
    (tmp_path / "croydon.lfrw").write_bytes(bytes(range(256)) * 40)
    return path


def lfr(*words: Any, fails: Any = False) -> Any:
    result = CliRunner().invoke(commands_app, [str(word) for word in words])
    if fails:
        assert result.exit_code != 0
        return str(result.exception) if isinstance(result.exception, LfrError) else result.output
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_end_twice_then_report_then_verify(van: Any) -> None:
    first = lfr("end", "-c", van, "--by", "Insp. Okafor", "--reason", "finished early")
    assert "croydon-1 has ended" in first
    assert not (van.parent / "seal.key").exists()
    assert not (van.parent / "croydon.lfrw").exists()
    for name in ("certificate.html", "certificate.json", "report-public.html", "report-full.json"):
        assert (van.parent / "state" / name).exists()
    assert "had ended already" in lfr("end", "-c", van)
    assert json.loads(lfr("end", "-c", van, "--json"))["already"] is True
    assert json.loads(lfr("report", "-c", van, "--json"))["deployment"] == "croydon-1"
    assert "whole" in lfr("audit", "verify", "-c", van)
    head = json.loads((van.parent / "state" / "certificate.json").read_text())["audit_head"]
    assert json.loads(lfr("audit", "verify", "-c", van, "--head", head, "--json"))["ok"] is True
    assert "is not the record" in lfr("audit", "verify", "-c", van, "--head", "f" * 64, fails=True)


def test_a_changed_audit_record_fails_verification(van: Any) -> None:
    lfr("end", "-c", van, "--by", "Insp. Okafor")
    path = van.parent / "state" / "audit.jsonl"
    path.write_text(path.read_text().replace("Okafor", "Nobody"))
    assert "was changed" in lfr("audit", "verify", "-c", van, fails=True)


def test_the_record_can_be_shown_and_filtered(van: Any) -> None:
    lfr("end", "-c", van)
    lines = [json.loads(line) for line in lfr("audit", "show", "-c", van, "--act", "wipe", "--json").splitlines()]
    assert {line["act"] for line in lines} == {"wipe", "wipe.scan"}
    assert "end.begin" in lfr("audit", "show", "-c", van)


def test_extend_moves_the_end_and_refuses_plainly(van: Any) -> None:
    until = (NOW + timedelta(hours=5)).isoformat()
    who = ("--by", "B. Lowe", "--rank", "Superintendent", "--reason", "seen near by")
    assert "now ends on" in lfr("extend", "-c", van, "--until", until, *who)
    assert "time zone" in lfr("extend", "-c", van, "--until", "17:30", *who, fails=True)
    assert "24 hours" in lfr("extend", "-c", van, "--until", (NOW + timedelta(hours=30)).isoformat(), *who, fails=True)


def test_revoking_destroys_at_once_where_nothing_runs(van: Any) -> None:
    assert "has ended" in lfr("revoke", "-c", van, "--by", "C. Hale", "--reason", "complaint upheld")
    assert not (van.parent / "seal.key").exists()
    assert present(Store(van.parent / "state").load()).end_reason == "revoked by C. Hale: complaint upheld"


def test_blue_refuses_an_unknown_camera_and_records_a_walk(van: Any) -> None:
    assert "no camera" in lfr("blue", "-c", van, "BLUE-1", "--camera", "west", fails=True)
    assert "BLUE-1 walks past north" in lfr("blue", "-c", van, "BLUE-1", "--camera", "north", "--by", "PS Roy")


def test_purge_does_what_is_due_and_refuses_what_is_not(van: Any) -> None:
    assert "Nothing was due" in lfr("purge", "-c", van)
    assert "has not ended" in lfr("purge", "-c", van, "--all", fails=True)
    lfr("end", "-c", van)
    assert "0 alerts" in lfr("purge", "-c", van, "--all")


def test_a_report_on_an_unknown_deployment_makes_nothing(van: Any) -> None:
    assert "knows no deployment croydon-1" in lfr("report", "-c", van, fails=True)
    assert not (van.parent / "state").exists()


def test_the_end_as_json_names_what_it_wrote_and_says_that_nothing_is_kept(van: Any) -> None:
    document = json.loads(lfr("end", "-c", van, "--json"))
    assert set(document) == {
        "deployment", "ended_at", "already", "complete", "problems", "notes", "alerts_kept_until", "files",
    }  # fmt: skip
    assert (document["already"], document["complete"], document["alerts_kept_until"]) == (False, True, None)
    assert [Path(path).name for path in document["files"]] == [
        "certificate.html", "certificate.json", "report-public.html", "report-public.json", "report-full.html",
        "report-full.json",
    ]  # fmt: skip
    assert all(Path(path).exists() for path in document["files"])


def test_an_end_that_is_not_complete_says_what_is_left_and_fails(van: Any) -> None:
    (van.parent / "tmp" / "copy").write_bytes((van.parent / "seal.key").read_bytes())
    told = lfr("end", "-c", van, fails=True)
    assert "Not everything is destroyed" in told
    assert "copy still holds the sealing key" in told
    again = CliRunner().invoke(commands_app, ["end", "-c", str(van), "--json"])
    assert again.exit_code == 1
    assert json.loads(again.stdout)["complete"] is False


def test_revoking_twice_and_extending_what_has_ended_are_refused(van: Any) -> None:
    lfr("revoke", "-c", van, "--by", "C. Hale", "--reason", "complaint upheld")
    assert "has ended already" in lfr("revoke", "-c", van, "--by", "C. Hale", "--reason", "again", fails=True)
    until = (NOW + timedelta(hours=5)).isoformat()
    who = ("--by", "B. Lowe", "--rank", "Superintendent", "--reason", "seen near by")
    assert "has ended" in lfr("extend", "-c", van, "--until", until, *who, fails=True)


def test_only_the_newest_acts_are_shown_and_0_means_all(van: Any) -> None:
    lfr("end", "-c", van)
    newest = lfr("audit", "show", "-c", van, "--json", "-n", "2").splitlines()
    everything = lfr("audit", "show", "-c", van, "--json", "-n", "0").splitlines()
    assert newest == everything[-2:]
    assert len(everything) > 5
    assert "state_sha256" not in lfr("audit", "show", "-c", van)


def test_a_purge_beside_a_running_appliance_leaves_it_to_that(van: Any) -> None:
    (van.parent / "state").mkdir()
    with (van.parent / "state" / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is running and purges by itself" in lfr("purge", "-c", van)
        assert "is running and purges by itself" in lfr("purge", "-c", van, "--all", fails=True)
    assert (van.parent / "seal.key").exists()


def test_a_report_goes_where_it_is_asked_for(van: Any) -> None:
    lfr("end", "-c", van)
    told = lfr("report", "-c", van, "-o", van.parent / "out")
    assert told.index("To publish:") < told.index("report-public.html") < told.index("For the force only:")
    assert len(list((van.parent / "out").iterdir())) == 4


def test_a_walk_at_a_moment_without_a_time_zone_is_refused(van: Any) -> None:
    assert "time zone" in lfr("blue", "-c", van, "BLUE-1", "--camera", "north", "--at", "10:30", fails=True)
