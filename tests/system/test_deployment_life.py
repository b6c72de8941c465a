"""What the supervisor does at the edges of a deployment's window, and when the list or the guard changes."""

import signal
from typing import Any


def acts_of(run: Any) -> list[str]:
    return [act["act"] for act in run.acts()]


def test_cameras_start_with_the_window_and_a_withdrawn_authority_ends_everything_at_once(start_run: Any) -> None:
    run = start_run(starts_in_s=600)
    run.until(lambda: "ready" in run.events(), what="ready while waiting")
    run.until_status(lambda status: status["phase"] == "waiting", what="a status")
    assert not run.attempts("camera/north")
    assert "waiting for the start of the window" in run.events()
    (run.folder / "start-now").touch()
    run.until_status(lambda status: status["phase"] == "running", what="running")
    run.until(lambda: run.attempts("camera/north"), what="the camera starts")
    assert "deployment.start" in acts_of(run)
    (run.folder / "over").write_text("Inspector Ash withdrew the authority")
    assert run.wait() == 0
    assert {"act": "ended", "reason": "Inspector Ash withdrew the authority"} in run.acts()


def test_at_the_end_time_cameras_stop_everything_is_destroyed_and_the_console_lives_until_the_purge(
    start_run: Any,
) -> None:
    run = start_run(config={"console": {}})
    run.until_status(lambda status: status["cameras"][0]["state"] == "live", what="live")
    (run.folder / "end-now").touch()
    run.until(lambda: "ended" in acts_of(run), what="the end")
    assert (run.folder / "flushed-north").exists()
    status = run.until_status(lambda status: status["phase"] == "ended", what="phase ended")
    assert status["watchlist_entries"] == 0
    assert "purge.asked" not in acts_of(run)
    (run.folder / "purge-now").touch()
    assert run.wait() == 0
    assert acts_of(run)[-1] == "purge.asked"


def test_an_incomplete_end_is_said_and_fails_the_run(start_run: Any) -> None:
    run = start_run(end_fails=True)
    run.until(lambda: "recognition starts" in run.events(), what="the start")
    (run.folder / "end-now").touch()
    assert run.wait() == 1
    assert "The key could not be destroyed." in (run.folder / "out.txt").read_text()


def test_started_after_the_end_it_destroys_what_is_due_and_starts_nothing(start_run: Any) -> None:
    run = start_run(starts_in_s=-7200, ends_in_s=-3600, kept_s=60, config={"console": {}})
    assert run.wait() == 0
    assert acts_of(run) == ["prepared", "ended", "purge.asked"]
    assert not run.attempts("camera/north")
    assert not run.attempts("hub")


def test_started_after_the_end_officers_may_still_decide_while_alerts_are_kept(start_run: Any) -> None:
    run = start_run(starts_in_s=-7200, ends_in_s=-3600, kept_s=7200, config={"console": {}})
    run.until(lambda: run.attempts("console"), what="the console")
    (run.folder / "purge-now").touch()
    assert run.wait() == 0
    assert not run.attempts("camera/north")


def test_a_new_list_reaches_the_cameras_and_a_bad_one_does_not(start_run: Any) -> None:
    run = start_run()

    def refused(status: dict[str, Any]) -> bool:
        return "watchlist" in {item["code"] for item in status["degraded"]}

    before = run.until_status(lambda status: status["cameras"][0]["state"] == "live", what="live")["watchlist"]
    run.put_list("2 b c d")
    good = run.until_status(lambda status: status["watchlist"] != before, what="the new list")["watchlist"]
    change = next(act for act in run.acts() if act["act"] == "watchlist.change")
    assert (change["added"], change["removed"]) == (["d"], ["a"])
    run.put_list("x nobody")
    assert run.until_status(refused, what="refused")["watchlist"] == good
    run.put_list("2 b c d")
    run.until_status(lambda status: not refused(status), what="good again")
    run.put_list("1 a b c")
    assert run.until_status(refused, what="an older list is refused")["watchlist"] == good
    assert acts_of(run).count("watchlist.refused") == 2
    assert len(run.attempts("camera/north")) == 1


def test_the_guard_warns_and_when_asked_to_it_stops_the_cameras(start_run: Any) -> None:
    run = start_run(guard_after_s=1.5, guard_stops=True)
    run.until(lambda: {"guard.breach", "deployment.stop"} <= set(acts_of(run)), what="the stop")
    status = run.until_status(lambda status: status["cameras"][0]["state"] == "stopped", what="stopped")
    assert status["phase"] == "running"
    assert any("Recognition is stopped" in item["text"] for item in status["degraded"])
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
