"""Real processes, spawned, killed and signalled; only what they do is scripted."""

import itertools
import json
import os
import signal
from typing import Any

import psutil
import pytest
from supervised_run import RESTARTS
from waiting import gone, until

NORTH = (("camera", "north"),)


def cameras_of(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {camera["name"]: camera for camera in status["cameras"]}


def test_a_run_of_finite_sources_ends_by_itself_with_everything_counted(start_run: Any) -> None:
    run = start_run(acts={"camera/north": ["end"], "camera/south": ["end"]}, config={"cameras": ["north", "south"]})
    assert run.wait() == 0
    summary = json.loads((run.folder / "out.txt").read_text())
    assert [camera["state"] for camera in summary["cameras"]] == ["ended", "ended"]
    assert all(camera["people_seen"] > 0 for camera in summary["cameras"])
    tally = json.loads((run.folder / "tally.json").read_text())
    assert tally["north"]["people"] == summary["cameras"][0]["people_seen"]
    assert not list((run.folder / "r").iterdir()), "the runtime folder must be gone"


def test_a_stuck_camera_and_a_killed_hub_come_back_and_no_counter_goes_down(start_run: Any) -> None:
    run = start_run(
        acts={"camera/north": ["stuck", "live"]}, people_base={"north": 1000}, policy={**RESTARTS, "stuck_s": 3.0}
    )
    people, restarts = ("lfr_people_seen_total", NORTH), ("lfr_restarts_total", (("process", "camera/north"),))
    run.until(lambda: "camera/north was lost" in run.events(), what="the kill")
    seen = [run.metrics()]

    def recovered() -> bool:
        seen.append(run.metrics())
        return bool(seen[-1][people] > seen[0][people] and seen[-1][restarts] >= 1)

    run.until(recovered, what="people seen again")
    hubs = run.attempts("hub")
    os.kill(hubs[-1], signal.SIGKILL)
    run.until(lambda: len(run.attempts("hub")) > len(hubs), what="a new hub")
    heard = len(run.statuses())
    run.until(lambda: len(run.statuses()) > heard + 1, what="status again")
    seen.append(run.metrics())
    for older, newer in itertools.pairwise(seen):
        for key, value in older.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                assert newer[key] >= value, key
    assert {act["worker"] for act in run.acts() if act["act"] == "process.restarted"} == {"camera/north", "hub"}
    assert gone(run.attempts("camera/north")[0])
    assert run.statuses()[-1]["people_seen"] > 1000, "people of earlier runs of the deployment count on"


def test_a_worker_that_keeps_crashing_is_capped_and_said_to_have_failed(start_run: Any) -> None:
    run = start_run(
        acts={"camera/north": ["crash"]},
        config={"cameras": ["north", "south"]},
        policy={"first_delay_s": 0.02, "cap": 1, "failed_delay_s": 600},
    )
    status = run.until_status(lambda status: cameras_of(status)["north"]["state"] == "failed", what="failed")
    attempts = len(run.attempts("camera/north"))
    assert attempts == 2
    assert any(item["code"] == "camera" for item in status["degraded"])
    run.until_status(lambda status: cameras_of(status)["south"]["state"] == "live", what="the other is live")
    assert len(run.attempts("camera/north")) == attempts


def test_a_full_disk_stops_no_camera_and_what_was_counted_is_written_once_there_is_room(start_run: Any) -> None:
    run = start_run(acts={"camera/north": ["live"]})
    run.until((run.folder / "tally.json").exists, what="counts are written")
    (run.folder / "disk-full").touch()
    run.put_list("2 a b c d")
    run.until_said("the counts cannot be written")
    run.until_said("the change of the watchlist could not be recorded")
    (run.folder / "tally.json").unlink()
    run.until_status(lambda status: cameras_of(status)["north"]["state"] == "live", what="the camera goes on")
    assert len(run.attempts("camera/north")) == 1
    (run.folder / "disk-full").unlink()
    run.until((run.folder / "tally.json").exists, what="counts are written again")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert "Traceback" not in run.log()


def test_sigterm_ends_everything_and_kills_what_ignores_it_when_its_time_is_over(start_run: Any) -> None:
    run = start_run(
        acts={"camera/south": ["stubborn"]},
        intervals={"cameras_stop_s": 4.0, "hub_stop_s": 20.0},  # `test_loop` sees to the appliance's own five seconds
        config={"cameras": ["north", "south"], "console": {}},
    )
    run.until(lambda: "ready" in run.events(), what="ready")
    other = start_run(folder=run.folder, config=run.scenario["config"])
    assert other.wait() == 1, "a second run on the same state is refused"
    refusal = (run.folder / "out.txt").read_text()
    assert f"Another lfr run (process {run.process.pid}) is already using" in refusal
    children = psutil.Process(run.process.pid).children(recursive=True)
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert "camera/south did not stop in time and was killed" in run.log()
    assert run.log().count("did not stop in time") == 1
    psutil.wait_procs(children, 20)
    assert (run.folder / "flushed-north").exists(), "a camera that listens must have its time to flush"
    assert all(gone(child.pid) for child in children)


@pytest.mark.parametrize("hopeless", ["/clips/gone.mp4", "test:?bogus=1"])
def test_a_source_that_will_never_work_ends_the_run_with_a_plain_sentence(start_run: Any, hopeless: Any) -> None:
    cameras = [{"name": "north", "source": hopeless}, {"name": "south", "source": "/clips/here.mp4"}]
    run = start_run(acts={"camera/north": ["fails"], "camera/south": ["end"]}, config={"cameras": cameras})
    assert run.wait() == 1
    assert "camera/north (left with exit code 1: There is no such file)" in (run.folder / "out.txt").read_text()


def test_a_run_whose_hub_never_worked_is_no_success(start_run: Any) -> None:
    run = start_run(acts={"hub": ["fails"], "camera/north": ["end"]}, intervals={"drain_s": 0.5}, files=["go-on"])
    run.until(lambda: "exit code 1: There is no such file" in run.log(), what="the hub's complaint")
    (run.folder / "go-on").unlink()
    assert run.wait() == 1
    said = (run.folder / "out.txt").read_text()
    assert "was not there at the end (left with exit code 1: There is no such file)" in said


def test_a_second_signal_ends_at_once(start_run: Any) -> None:
    run = start_run(acts={"camera/north": ["stubborn"]}, intervals={"cameras_stop_s": 600})
    run.until(lambda: "camera/north is ready" in run.events(), what="ready")
    run.signal(signal.SIGINT)
    run.until(lambda: "stopping: a signal came" in run.events(), what="the first signal is heard")
    run.signal(signal.SIGINT)
    assert run.wait() == 1, "not only when the camera's time to leave is over"


def test_ready_waits_for_warm_models_but_not_for_an_absent_camera_which_is_recorded_as_down(start_run: Any) -> None:
    run = start_run(acts={"camera/south": ["absent"]}, cold=["camera/north"], config={"cameras": ["north", "south"]})
    run.until(lambda: "camera/south is ready" in run.events(), what="the absent one is warm")
    assert run.metrics()["lfr_ready", ()] == 0
    (run.folder / "warm-now").touch()
    run.until(lambda: "ready" in run.events(), what="ready")
    assert run.events().index("ready") > run.events().index("camera/north is ready")
    run.until(lambda: any(act["act"] == "camera.down" for act in run.acts()), what="camera.down")
    status = run.until_status(lambda status: any(d["severity"] == "critical" for d in status["degraded"]), what="said")
    assert cameras_of(status)["south"]["state"] == "reconnecting"
    found = run.metrics()
    assert found["lfr_ready", ()] == 1
    assert found["lfr_camera_up", (("camera", "south"),)] == 0
    assert found["lfr_camera_last_frame_age_seconds", (("camera", "south"),)] > 5


def test_workers_die_with_a_killed_supervisor_and_a_new_run_works_at_once(start_run: Any) -> None:
    run = start_run()
    run.until(lambda: "camera/north is ready" in run.events(), what="ready")
    workers = run.attempts("hub") + run.attempts("camera/north")
    os.kill(run.process.pid, signal.SIGKILL)
    run.wait()
    until(lambda: all(gone(pid) for pid in workers), "the workers' death")
    assert len(list((run.folder / "r").glob("lfr-*"))) == 1
    again = start_run(folder=run.folder, config=run.scenario["config"])
    again.until(lambda: "ready" in again.events(), what="ready")
    assert len(list((run.folder / "r").glob("lfr-*"))) == 1, "the dead run's folder must be gone"
