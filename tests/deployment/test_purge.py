"""Alerts are deleted when their time is over, with the last of them the journal; the counts stay."""

import fcntl
from datetime import timedelta
from typing import Any

import pytest

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import End
from appliance.core.errors import LfrError
from appliance.deployment import end, purge
from appliance.deployment.purge import Purged
from appliance.deployment.report import counts
from appliance.deployment.store import Store


def test_alerts_are_purged_one_by_one_as_their_time_comes(on_disk: Any, journal: Any, now: Any) -> None:
    end.end(on_disk, now=now)
    purged = purge.purge(on_disk, now=now + timedelta(hours=24) - timedelta(minutes=25))
    assert purged.alerts == 3
    assert counts.alerts_held(on_disk) == 2
    assert counts.freeze(on_disk).alerts == 5
    assert sum(counts.load(on_disk).slots["north"].values()) == 3


def test_everything_may_be_purged_early_but_not_before_the_end(on_disk: Any, journal: Any) -> None:
    with pytest.raises(LfrError, match="has not ended"):
        purge.purge(on_disk, everything=True)
    end.end(on_disk)
    assert purge.purge(on_disk, "Insp. Okafor", everything=True).destroyed
    assert not (on_disk.alerts.state_dir / "journal.db").exists()


def test_a_journal_that_cannot_be_read_is_destroyed_when_its_time_is_over(on_disk: Any, journal: Any, now: Any) -> None:
    end.end(on_disk, now=now)
    (on_disk.alerts.state_dir / "journal.db").write_bytes(b"this is no database " * 500)
    assert purge.due_at(on_disk) == now + timedelta(hours=24)
    with pytest.raises(LfrError):
        purge.purge(on_disk, now=now + timedelta(hours=1))
    assert purge.purge(on_disk, now=now + timedelta(hours=25)).destroyed
    assert not (on_disk.alerts.state_dir / "journal.key").exists()


def test_before_the_end_only_what_is_older_than_it_may_be_kept_goes(on_disk: Any, journal: Any, now: Any) -> None:
    Store(on_disk.alerts.state_dir).take_up(on_disk)
    assert purge.due_at(on_disk) is None
    assert purge.purge(on_disk, now=now) == Purged(0, False, None)
    found = purge.purge(on_disk, now=now + timedelta(hours=24) - timedelta(minutes=25))
    assert (found.alerts, found.destroyed) == (3, False)
    assert found.sentence == "3 alerts were purged; no alerts are kept."


def test_the_sentence_says_until_when_the_rest_is_kept(on_disk: Any, journal: Any, now: Any) -> None:
    end.end(on_disk, now=now)
    found = purge.purge(on_disk, now=now + timedelta(hours=1))
    assert found.kept_until == now + timedelta(hours=24)
    assert found.sentence.startswith("0 alerts were purged; alerts are kept until 20")


def test_without_a_journal_an_ended_deployment_is_marked_as_purged_once(on_disk: Any, now: Any) -> None:
    store = Store(on_disk.alerts.state_dir)
    store.take_up(on_disk)
    store.update(
        lambda state: state.model_copy(update={"phase": "ended", "ended_at": now}),
        End(deployment="croydon-1", complete=True),
        APPLIANCE,
    )
    assert purge.purge(on_disk, now=now) == Purged(0, False, None)
    state = store.load()
    assert state is not None
    assert (state.phase, state.purged_at) == ("purged", now)
    acts = len(list(store.audit.records()))
    purge.purge(on_disk, now=now)
    assert len(list(store.audit.records())) == acts


def test_a_running_appliances_alerts_are_not_touched(on_disk: Any, journal: Any, now: Any) -> None:
    with (on_disk.alerts.state_dir / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LfrError, match="is running and purges by itself"):
            purge.purge(on_disk, now=now + timedelta(days=9))
    assert counts.alerts_held(on_disk) == 5
