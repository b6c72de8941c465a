"""What the supervisor does at the edges of a deployment's window, and when the list or the guard changes."""

import signal


def acts_of(run) -> list[str]:
    return [act["act"] for act in run.acts()]


def test_before_the_window_nothing_looks_and_cameras_start_by_themselves(start_run):
    run = start_run(starts_in_s=3)
    run.until(lambda: "ready" in run.events(), what="ready while waiting")
    run.until(lambda: run.statuses(), what="a status")
    assert run.statuses()[-1]["phase"] == "waiting"
    assert not run.attempts("camera/north")
    assert "waiting for the start of the window" in run.events()
    run.until(lambda: run.attempts("camera/north"), what="the camera starts")
    run.until_status(lambda status: status["phase"] == "running", what="running")
    assert "deployment.start" in acts_of(run)


def test_at_the_end_time_cameras_stop_everything_is_destroyed_and_the_console_lives_until_the_purge(start_run):
    run = start_run(ends_in_s=3, kept_s=2, config={"console": {"listen": "127.0.0.1:1"}})
    run.until(lambda: "ended" in acts_of(run), what="the end")
    assert (run.folder / "flushed-north").exists()
    run.until_status(lambda status: status["phase"] == "ended", what="phase ended")
    assert run.process.poll() is None
    assert run.statuses()[-1]["watchlist_entries"] == 0
    assert run.wait() == 0
    assert "purge.asked" in acts_of(run)


def test_at_the_end_time_without_a_console_the_run_ends(start_run):
    run = start_run(ends_in_s=2.5)
    assert run.wait() == 0
    assert acts_of(run).count("ended") == 1


def test_a_withdrawn_authority_ends_it_at_once(start_run):
    run = start_run()
    run.until(lambda: run.attempts("camera/north"), what="the camera")
    (run.folder / "over").write_text("Inspector Ash withdrew the authority")
    assert run.wait() == 0
    assert {"act": "ended", "reason": "Inspector Ash withdrew the authority"} in run.acts()


def test_started_after_the_end_it_destroys_what_is_due_and_starts_no_camera(start_run):
    run = start_run(starts_in_s=-7200, ends_in_s=-3600, kept_s=60)
    assert run.wait() == 0
    assert "ended" in acts_of(run)
    assert not run.attempts("camera/north")
    assert not run.attempts("hub")


def test_started_after_the_end_officers_may_still_decide_while_alerts_are_kept(start_run):
    run = start_run(starts_in_s=-7200, ends_in_s=-3600, kept_s=3603, config={"console": {"listen": "127.0.0.1:1"}})
    run.until(lambda: run.attempts("console"), what="the console")
    assert run.wait() == 0
    assert not run.attempts("camera/north")


def test_an_incomplete_end_is_said_and_fails_the_run(start_run):
    run = start_run(ends_in_s=2, end_fails=True)
    assert run.wait() == 1
    assert "The key could not be destroyed." in (run.folder / "out.txt").read_text()


def test_a_new_list_reaches_the_cameras_and_a_bad_one_does_not(start_run):
    run = start_run()
    run.until_status(lambda status: status["cameras"][0]["state"] == "live", what="live")
    before = run.statuses()[-1]["watchlist"]
    (run.folder / "list.lfrw").write_text("2 b c d")
    run.until_status(lambda status: status["watchlist"] != before, what="the new list")
    change = next(act for act in run.acts() if act["act"] == "watchlist.change")
    assert (change["added"], change["removed"]) == (["d"], ["a"])
    good = run.statuses()[-1]["watchlist"]
    for bad in ("x nobody", "1 a b c"):
        (run.folder / "list.lfrw").write_text(bad)
        run.until_status(lambda status: "watchlist" in {d["code"] for d in status["degraded"]}, what="refused")
        assert run.statuses()[-1]["watchlist"] == good
        (run.folder / "list.lfrw").write_text("2 b c d")
        run.until_status(lambda status: "watchlist" not in {d["code"] for d in status["degraded"]}, what="good again")
    assert acts_of(run).count("watchlist.refused") == 2
    assert len(run.attempts("camera/north")) == 1


def test_the_guard_warns_and_when_asked_to_it_stops_the_cameras(start_run):
    run = start_run(guard_after_s=1.5, guard_stops=True)
    run.until(lambda: "guard.breach" in acts_of(run) and "deployment.stop" in acts_of(run), what="the stop")
    run.until_status(lambda status: status["cameras"][0]["state"] == "stopped", what="stopped")
    assert run.statuses()[-1]["phase"] == "running"
    assert any("Recognition is stopped" in d["text"] for d in run.statuses()[-1]["degraded"])
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


def test_people_seen_go_on_from_earlier_runs_of_the_deployment(start_run):
    run = start_run(people_base={"north": 1000})
    run.until_status(lambda status: status["people_seen"] > 1000, what="the sum")
