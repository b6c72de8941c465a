"""What was due while nothing ran is done by the next call, once, and nothing else is touched."""

import fcntl
import multiprocessing
import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from present import present

from appliance.alerts.journal import Journal
from appliance.audit.act import APPLIANCE
from appliance.audit.acts import DeploymentStart
from appliance.core.errors import LfrError
from appliance.deployment import authority, end, purge
from appliance.deployment.ending import certificate
from appliance.deployment.overdue import catch_up
from appliance.deployment.report import counts
from appliance.deployment.store import Store


def started(config: Any) -> Any:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    running = {"phase": "running"}
    return store.update(
        lambda state: state.model_copy(update=running), DeploymentStart(deployment="croydon-1"), APPLIANCE
    )


def die_at(config: Any, steps: Any) -> None:
    count = 0

    def step(_: Any) -> None:
        nonlocal count
        count += 1
        if count == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    end.end(config, by="Insp. Okafor", reason="over", step=step)


def test_a_late_start_ends_what_should_have_ended_and_purges_what_is_due(on_disk: Any, journal: Any, now: Any) -> None:
    started(on_disk)
    assert catch_up(on_disk, now=now + timedelta(hours=1)) == []
    done = catch_up(on_disk, now=now + timedelta(hours=5))
    assert "the end time came while the appliance was off" in done[0]
    assert not on_disk.watchlist.key.exists()
    assert counts.alerts_held(on_disk) == 5
    assert purge.due_at(on_disk) == now + timedelta(hours=29)
    assert "5 alerts were purged" in catch_up(on_disk, now=now + timedelta(hours=40))[0]
    state_dir = on_disk.alerts.state_dir
    assert [name for name in ("journal.db", "journal.db-wal", "journal.key") if (state_dir / name).exists()] == []
    assert present(Store(state_dir).load()).phase == "purged"
    assert counts.load(on_disk).alerts == 5
    assert present(certificate.load(on_disk)).alerts_purged == 5
    assert catch_up(on_disk, now=now + timedelta(hours=41)) == []


def test_a_list_whose_deployment_never_started_is_left_alone_by_a_late_start(on_disk: Any, now: Any) -> None:
    assert catch_up(on_disk, now=now + timedelta(days=2)) == []
    assert on_disk.watchlist.key.exists()


@pytest.mark.parametrize("damage", ['{"phase": "ended"}', "", None])
def test_a_late_start_ends_what_started_although_its_state_cannot_be_believed(
    on_disk: Any, now: Any, damage: Any
) -> None:
    started(on_disk)
    path = Store(on_disk.alerts.state_dir).path
    path.unlink()
    if damage is not None:
        path.write_text(damage)
    assert catch_up(on_disk, now=now + timedelta(hours=1)) == []
    assert on_disk.watchlist.key.exists()
    assert "cannot be believed" in catch_up(on_disk, now=now + timedelta(hours=5))[0]
    assert not on_disk.watchlist.key.exists()
    assert catch_up(on_disk, now=now + timedelta(hours=5)) == []


def test_an_interrupted_end_is_continued_by_a_late_start(on_disk: Any) -> None:
    process = multiprocessing.get_context("fork").Process(target=die_at, args=(on_disk, 3))
    process.start()
    process.join(20)
    assert catch_up(on_disk)
    assert present(Store(on_disk.alerts.state_dir).load()).phase in ("ended", "purged")


def test_an_authority_that_was_withdrawn_while_nothing_ran_is_the_reason_of_the_end(on_disk: Any, now: Any) -> None:
    authority.revoke(on_disk, "C. Hale", "complaint upheld", now)
    assert catch_up(on_disk, now=now)[0] == "Ended croydon-1: revoked by C. Hale: complaint upheld."
    assert not on_disk.watchlist.key.exists()


def test_an_end_without_alerts_tells_of_its_purge_once(on_disk: Any, now: Any) -> None:
    started(on_disk)
    Journal.open(on_disk.alerts.state_dir).close()
    ended, purged = catch_up(on_disk, now=now + timedelta(hours=5))
    assert ended.startswith("Ended croydon-1")
    assert purged == "0 alerts were purged; the journal and its key are destroyed."
    assert catch_up(on_disk, now=now + timedelta(hours=5)) == []


def test_everything_is_purged_on_request_after_what_was_due(on_disk: Any, journal: Any, now: Any) -> None:
    started(on_disk)
    with pytest.raises(LfrError, match="has not ended"):
        catch_up(on_disk, "Insp. Okafor", everything=True, now=now)
    done = catch_up(on_disk, "Insp. Okafor", everything=True, now=now + timedelta(hours=5))
    assert done[0].startswith("Ended croydon-1")
    assert done[-1] == "5 alerts were purged; the journal and its key are destroyed."
    acts = [record for record in Store(on_disk.alerts.state_dir).audit.records() if record.act == "purge"]
    assert acts[-1].by == "Insp. Okafor"


def test_a_running_appliance_is_left_to_itself(on_disk: Any, now: Any) -> None:
    started(on_disk)
    with (on_disk.alerts.state_dir / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("1\n")
        lock.flush()
        assert catch_up(on_disk, now=now + timedelta(hours=5)) == ["The appliance is running and purges by itself."]
        with pytest.raises(LfrError, match="is running"):
            catch_up(on_disk, everything=True, now=now + timedelta(hours=5))
    assert on_disk.watchlist.key.exists()
