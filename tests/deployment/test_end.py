"""The end destroys what it says, survives its own death anywhere, and never twice destroys."""

import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from present import present

from appliance.alerts.journal import Journal
from appliance.audit.act import APPLIANCE
from appliance.audit.acts import DeploymentStart
from appliance.audit.record import AuditRecord
from appliance.core.errors import AuthorityError, FileError
from appliance.core.files import overwrite_and_remove
from appliance.deployment import end, running
from appliance.deployment.ending import certificate, destroy, remains
from appliance.deployment.ending.search import scan
from appliance.deployment.report import counts
from appliance.deployment.store import Store


@pytest.fixture
def needles(secret: Any, sealed: Any) -> Any:
    key_bytes = remains._bech32_bytes(secret.decode())
    return {"key": secret, "key bytes": key_bytes, "list": sealed[100_000:100_064]}


def started(config: Any) -> Any:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    start = DeploymentStart(deployment=config.deployment.id)
    return store.update(lambda state: state.model_copy(update={"phase": "running"}), start, APPLIANCE)


def test_the_end_destroys_key_list_and_companions_and_nothing_else(
    on_disk: Any, journal: Any, tmp_path: Path, needles: Any
) -> None:
    bystander = on_disk.watchlist.key.with_name("seal.pub")
    bystander.write_text("age1xyz")
    before = {(f.path, f.needle) for f in scan([tmp_path], needles).findings}
    assert before == {(on_disk.watchlist.key, "key"), (on_disk.watchlist.file, "list")}
    done = end.end(on_disk, by="Insp. Okafor", reason="finished early")
    assert done.complete
    assert not done.already
    assert scan([tmp_path], needles).findings == []
    assert not on_disk.watchlist.file.parent.exists() or not list(on_disk.watchlist.file.parent.iterdir())
    assert bystander.exists()
    assert counts.alerts_held(on_disk) == 5


def test_the_key_goes_first(on_disk: Any) -> None:
    end.end(on_disk)
    made = present(certificate.load(on_disk))
    assert [item.what for item in made.destroyed[:2]] == ["sealing key", "sealed watchlist"]
    assert made.complete
    search = present(made.search)
    assert search.found == 0
    assert "sealing key (its bytes)" in search.searched_for


def test_ending_twice_is_harmless_and_says_so(on_disk: Any) -> None:
    first = end.end(on_disk)
    again = end.end(on_disk, by="somebody else")
    assert again.already
    assert again.ended_at == first.ended_at
    assert present(certificate.load(on_disk)).by == "appliance"


def test_a_list_for_the_next_deployment_is_not_touched_by_a_second_end(on_disk: Any) -> None:
    end.end(on_disk)
    on_disk.watchlist.file.write_bytes(b"the next one's")
    again = end.end(on_disk)
    assert on_disk.watchlist.file.read_bytes() == b"the next one's"
    assert "not touched" in again.notes[0]


def die_at(config: Any, steps: Any) -> None:
    count = 0

    def step(_: Any) -> None:
        nonlocal count
        count += 1
        if count == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    end.end(config, by="Insp. Okafor", reason="over", step=step)


@pytest.mark.parametrize("steps", range(1, 10))
def test_an_end_that_was_killed_anywhere_is_continued(on_disk: Any, tmp_path: Path, steps: Any, needles: Any) -> None:
    process = multiprocessing.get_context("fork").Process(target=die_at, args=(on_disk, steps))
    process.start()
    process.join(20)
    killed = process.exitcode == -signal.SIGKILL
    done = end.end(on_disk, by="another", reason="again")
    assert done.complete
    assert scan([tmp_path], needles).findings == []
    made = present(certificate.load(on_disk))
    assert {"sealing key", "sealed watchlist", "watchlist's companion"} <= {item.what for item in made.destroyed}
    assert all(item.done for item in made.destroyed)
    if killed and steps > 1:
        assert made.by == "Insp. Okafor"
    assert AuditRecord(on_disk.alerts.state_dir).verify().ok


def test_a_copy_of_the_key_that_was_left_about_makes_the_end_incomplete(
    on_disk: Any, tmp_path: Path, secret: Any
) -> None:
    copy = tmp_path / "tmp" / "backup.txt"
    copy.write_bytes(b"x" * 2_000_000 + secret)
    done = end.end(on_disk)
    assert not done.complete
    assert str(copy) in done.problems[0]
    assert "not complete" in certificate.paths(on_disk)[1].read_text()


def test_a_runtime_folder_of_a_dead_run_is_destroyed_and_a_living_ones_is_not(on_disk: Any, tmp_path: Path) -> None:
    for name in ("lfr-dead", "lfr-alive"):
        folder = tmp_path / "tmp" / name
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "incoming.lfrw").write_bytes(b"sealed")
    with (tmp_path / "tmp" / "lfr-alive" / "lock").open("rb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        end.end(on_disk)
    assert not (tmp_path / "tmp" / "lfr-dead").exists()
    assert (tmp_path / "tmp" / "lfr-alive" / "incoming.lfrw").exists()


RUNNER = """
import fcntl, os, signal, sys, time
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, f"{os.getpid()}\\n".encode(), 0)
print("up", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("manner", "ended_by"), [("polite", signal.SIGTERM), ("deaf", signal.SIGKILL)])
def test_a_running_appliance_is_stopped_first(
    on_disk: Any, monkeypatch: pytest.MonkeyPatch, manner: Any, ended_by: Any
) -> None:
    monkeypatch.setattr(running, "STOP_S", 20.0 if manner == "polite" else 0.3)
    monkeypatch.setattr(running, "KILL_S", 20.0)
    on_disk.alerts.state_dir.mkdir(parents=True)
    lock = str(on_disk.alerts.state_dir / "run.lock")
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, lock, manner], stdout=subprocess.PIPE)
    try:
        assert present(runner.stdout).readline() == b"up\n"
        assert running.holder(on_disk.alerts.state_dir) == runner.pid
        assert end.end(on_disk).complete
        assert runner.wait(20) == -ended_by
    finally:
        runner.kill()
        present(runner.stdout).close()
        runner.wait()


def test_a_read_only_key_behind_a_link_is_destroyed_with_the_link(on_disk: Any, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.key"
    on_disk.watchlist.key.rename(real)
    real.chmod(0o400)
    on_disk.watchlist.key.symlink_to(real)
    end.end(on_disk)
    assert not real.exists()
    assert not on_disk.watchlist.key.is_symlink()


def test_what_cannot_be_destroyed_is_said_and_tried_again(on_disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = overwrite_and_remove

    def failing(path: Path) -> Any:
        if path == on_disk.watchlist.file:
            raise FileError(path, "destroyed", PermissionError(1, "Operation not permitted"))
        return real(path)

    monkeypatch.setattr(destroy, "overwrite_and_remove", failing)
    done = end.end(on_disk)
    assert not done.complete
    assert f"{on_disk.watchlist.file} could not be destroyed" in done.problems[0]
    monkeypatch.setattr(destroy, "overwrite_and_remove", real)
    again = end.end(on_disk)
    assert again.complete
    assert not on_disk.watchlist.file.exists()


def test_a_copy_of_the_list_is_found_and_its_removal_by_hand_completes_the_certificate(
    on_disk: Any, sealed: Any
) -> None:
    copy = on_disk.watchlist.file.with_name("yesterday.lfrw")
    copy.write_bytes(sealed)
    done = end.end(on_disk)
    assert [str(copy) in problem for problem in done.problems] == [True]
    assert not end.end(on_disk, "PS Roy").complete
    copy.unlink()
    assert end.end(on_disk, "PS Roy").complete
    made = present(certificate.load(on_disk))
    assert made.complete
    assert str(copy) in made.remarks[0]
    assert "PS Roy" in made.remarks[0]
    acts = [record.act for record in Store(on_disk.alerts.state_dir).audit.records()]
    assert end.end(on_disk).complete
    assert [record.act for record in Store(on_disk.alerts.state_dir).audit.records()] == acts, "once is enough"


def test_a_pipe_in_the_place_of_list_and_key_does_not_hold_the_end_up(on_disk: Any) -> None:
    for path in (on_disk.watchlist.file, on_disk.watchlist.key):
        path.unlink()
        os.mkfifo(path)
    assert end.end(on_disk).complete
    assert not on_disk.watchlist.key.exists()


def test_a_deployment_deep_down_in_long_folders_is_ended_too(on_disk: Any, tmp_path: Path, make_config: Any) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    deep.mkdir(parents=True)
    config = make_config(watchlist__key=str(deep / "seal.key"))
    on_disk.watchlist.key.rename(config.watchlist.key)
    assert end.end(config).complete
    assert not config.watchlist.key.exists()


def test_damage_to_the_state_does_not_prevent_the_end(on_disk: Any) -> None:
    started(on_disk)
    (on_disk.alerts.state_dir / "deployment.json").write_text('{"phase": "waiting"}')
    assert end.end(on_disk).complete
    assert not on_disk.watchlist.key.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"phase": "ended", "ended_at": "2026-11-21T12:00:00.000Z"},
        {"phase": "purged", "ended_at": "2026-11-21T12:00:00.000Z"},
        {"deployment": "another-1"},
    ],
)
def test_a_state_that_claims_to_have_ended_or_to_be_anothers_is_not_believed(
    on_disk: Any, needles: Any, tmp_path: Path, claims: Any
) -> None:
    started(on_disk)
    store = Store(on_disk.alerts.state_dir)
    store.path.write_text(json.dumps(json.loads(store.path.read_text()) | claims))
    done = end.end(on_disk, by="Insp. Okafor")
    assert done.complete
    assert not done.already
    assert scan([tmp_path], needles).findings == []
    assert present(store.load()).deployment == on_disk.deployment.id
    assert end.end(on_disk).already


def test_another_deployments_state_is_not_ended_by_this_configuration(on_disk: Any, make_config: Any) -> None:
    started(on_disk)
    other = make_config(deployment=dict(on_disk.deployment.model_dump(), id="other-2"))
    with pytest.raises(AuthorityError, match="belongs to the deployment croydon-1"):
        end.end(other)
    assert on_disk.watchlist.key.exists()


def test_the_certificate_says_on_top_when_there_was_nothing_left_to_search_for(on_disk: Any) -> None:
    for path in (on_disk.watchlist.key, on_disk.watchlist.file):
        path.unlink()
    end.end(on_disk)
    page = (on_disk.alerts.state_dir / "certificate.html").read_text()
    assert page.index("No remains could be searched for") < page.index("<h2>What was destroyed")


def test_the_report_is_written_by_the_end_also_with_a_damaged_journal(on_disk: Any, journal: Any, now: Any) -> None:
    counts.freeze(on_disk)
    (on_disk.alerts.state_dir / "journal.db").write_bytes(b"this is no database " * 500)
    done = end.end(on_disk, now=now)
    assert done.complete
    assert "report could not be written" in done.notes[0]


def test_an_end_waits_for_nothing_where_nothing_runs(on_disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, asleep = threading.get_ident(), time.sleep

    def sleep(seconds: float) -> None:
        if threading.get_ident() == mine:  # other threads of this process, as a stage's, go on
            pytest.fail("it waits")
        asleep(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    began = time.thread_time()
    end.end(on_disk)
    assert time.thread_time() - began < 3


def test_the_certificate_says_what_it_cannot_promise_and_holds_the_anchor(on_disk: Any, secret: Any) -> None:
    end.end(on_disk)
    as_json, as_html = certificate.paths(on_disk)
    page = as_html.read_text()
    made = json.loads(as_json.read_text())
    assert "flash disk" in page
    assert made["audit_head"] in page
    assert AuditRecord(on_disk.alerts.state_dir).verify(anchor=made["audit_head"]).ok
    assert secret.decode() not in page
    assert "http" not in page.replace("http-equiv", "")


def test_where_no_alert_is_kept_the_end_purges_the_journal_too_and_says_so(on_disk: Any) -> None:
    Journal.open(on_disk.alerts.state_dir).close()
    done = end.end(on_disk)
    assert done.kept_until is None
    assert done.purged is not None
    assert done.purged.destroyed
    assert not (on_disk.alerts.state_dir / "journal.db").exists()
    assert {path.name for path in done.files} == {
        "certificate.html", "certificate.json", "report-public.html", "report-public.json", "report-full.html",
        "report-full.json",
    }  # fmt: skip


def test_where_alerts_are_kept_the_end_says_until_when_and_leaves_them(on_disk: Any, journal: Any, now: Any) -> None:
    done = end.end(on_disk, now=now)
    assert (done.kept_until, done.purged) == (now + timedelta(hours=24), None)
    assert counts.alerts_held(on_disk) == 5


def test_an_end_that_is_not_complete_purges_nothing(on_disk: Any, tmp_path: Path, secret: Any) -> None:
    Journal.open(on_disk.alerts.state_dir).close()
    (tmp_path / "tmp" / "backup.txt").write_bytes(secret)
    done = end.end(on_disk)
    assert (done.complete, done.purged) == (False, None)
    assert (on_disk.alerts.state_dir / "journal.db").exists()
