"""Real processes, spawned, killed and signalled; only what they do is scripted."""

import itertools
import json
import os
import signal
import time

import psutil


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_run_of_finite_sources_ends_by_itself_with_everything_counted(start_run):
    run = start_run(acts={"camera/north": ["end"], "camera/south": ["end"]}, config={"cameras": ["north", "south"]})
    assert run.wait() == 0
    summary = json.loads((run.folder / "out.txt").read_text())
    assert [camera["state"] for camera in summary["cameras"]] == ["ended", "ended"]
    assert all(camera["people_seen"] > 0 for camera in summary["cameras"])
    tally = json.loads((run.folder / "tally.json").read_text())
    assert tally["north"]["people"] == summary["cameras"][0]["people_seen"]
    assert not list((run.folder / "r").iterdir()), "the runtime folder must be gone"


def test_a_stuck_worker_is_killed_and_started_again_and_no_counter_goes_down(start_run):
    run = start_run(acts={"camera/north": ["stuck", "live"]})
    people = ("lfr_people_seen_total", (("camera", "north"),))
    run.until(lambda: "camera/north is ready" in run.events(), what="ready")
    seen = []

    def recovered() -> bool:
        seen.append(run.metrics())
        return seen[-1][people] > before and seen[-1]["lfr_restarts_total", (("process", "camera/north"),)] == 1

    before = run.metrics()[people]
    run.until(lambda: "camera/north was lost" in run.events(), what="the kill")
    before = run.metrics()[people]
    run.until(recovered, what="people seen again")
    for older, newer in itertools.pairwise(seen):
        for key, value in older.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                assert newer[key] >= value, key
    assert {"act": "process.restarted"}.items() <= next(
        act for act in run.acts() if act["act"] == "process.restarted"
    ).items()
    first = run.attempts("camera/north")[0]
    assert gone(first)


def test_a_worker_that_keeps_crashing_is_capped_and_said_to_have_failed(start_run):
    run = start_run(
        acts={"camera/north": ["crash"]},
        config={"cameras": ["north", "south"]},
        policy={"first_delay_s": 0.02, "cap": 2},
    )
    run.until_said("camera/north was lost too often")
    attempts = len(run.attempts("camera/north"))
    run.until_status(
        lambda status: {c["name"]: c["state"] for c in status["cameras"]}["north"] == "failed",
        what="status says failed",
    )
    assert any(item["code"] == "camera" for item in run.statuses()[-1]["degraded"])
    assert {c["name"]: c["state"] for c in run.statuses()[-1]["cameras"]}["south"] == "live"
    assert attempts == 3
    time.sleep(0.5)
    assert len(run.attempts("camera/north")) == attempts


def test_sigterm_ends_everything_within_five_seconds_even_what_ignores_it(start_run):
    run = start_run(
        acts={"camera/north": ["live"], "camera/south": ["stubborn"]},
        config={"cameras": ["north", "south"], "console": {"listen": "127.0.0.1:1"}},
    )
    run.until_said("ready")
    run.until(lambda: "ready" in run.events(), what="ready")
    children = psutil.Process(run.process.pid).children(recursive=True)
    began = time.monotonic()
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert time.monotonic() - began < 5
    assert (run.folder / "flushed-north").exists(), "a camera that listens must have its time to flush"
    assert all(gone(child.pid) for child in children)


def test_a_second_signal_ends_at_once(start_run):
    run = start_run(acts={"camera/north": ["stubborn"]})
    run.until(lambda: "ready" in run.events(), what="ready")
    run.signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    run.signal(signal.SIGINT)
    assert run.wait() == 1
    assert time.monotonic() - began < 1.5


def test_ready_comes_only_when_every_camera_is_warm_and_an_absent_camera_does_not_hold_it_up(start_run):
    run = start_run(
        acts={"camera/south": ["absent"]},
        warm_s={"camera/north": 1.5},
        config={"cameras": ["north", "south"]},
    )
    run.until_said("camera/south is ready")
    assert "ready" not in run.events()
    assert run.metrics()["lfr_ready", ()] == 0
    run.until(lambda: "ready" in run.events(), what="ready")
    assert run.events().index("ready") > run.events().index("camera/north is ready")
    assert run.metrics()["lfr_ready", ()] == 1


def test_a_second_run_on_the_same_state_is_refused_in_plain_words(start_run):
    run = start_run()
    run.until_said("metrics")
    other = start_run(folder=run.folder, config=run.scenario["config"])
    assert other.wait() == 1
    text = (run.folder / "out.txt").read_text()
    assert f"Another lfr run (process {run.process.pid}) is already using" in text
    assert run.process.poll() is None


def test_workers_die_with_a_killed_supervisor_and_a_new_run_works_at_once(start_run):
    run = start_run()
    run.until(lambda: "ready" in run.events(), what="ready")
    workers = run.attempts("hub") + run.attempts("camera/north")
    os.kill(run.process.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and not all(gone(pid) for pid in workers):
        time.sleep(0.02)
    assert all(gone(pid) for pid in workers)
    assert len(list((run.folder / "r").glob("lfr-*"))) == 1
    again = start_run(folder=run.folder, config=run.scenario["config"])
    again.until(lambda: "ready" in again.events(), what="ready")
    assert len(list((run.folder / "r").glob("lfr-*"))) == 1, "the dead run's folder must be gone"


def test_the_hub_is_told_the_status_and_a_lost_hub_comes_back(start_run):
    run = start_run()
    run.until_status(lambda status: status["people_seen"] > 0, what="a status")
    os.kill(run.attempts("hub")[0], signal.SIGKILL)
    run.until(lambda: len(run.attempts("hub")) == 2, what="a new hub")
    heard = len(run.statuses())
    run.until(lambda: len(run.statuses()) > heard + 2, what="status again")
    assert run.statuses()[-1]["cameras"][0]["state"] == "live"


def test_a_camera_that_gives_no_pictures_is_recorded_down(start_run, monkeypatch):
    run = start_run(acts={"camera/north": ["absent"]})
    run.until(lambda: any(act["act"] == "camera.down" for act in run.acts()), what="camera.down")
    run.until_status(lambda status: any(d["severity"] == "critical" for d in status["degraded"]), what="said in status")
    assert run.metrics()["lfr_camera_up", (("camera", "north"),)] == 0
    assert run.metrics()["lfr_camera_last_frame_age_seconds", (("camera", "north"),)] > 5
