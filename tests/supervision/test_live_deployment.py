"""The supervisor's live on a real state folder: state, audit record, sealed list, tally, end."""

import json
import os
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.alerts.journal import Journal
from appliance.audit.record import AuditRecord
from appliance.config import live as configuration
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import AuthorityError, ProviderError, WatchlistError
from appliance.deployment import authority
from appliance.deployment.ending import certificate
from appliance.deployment.state import Store, Tally
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.payload import Payload
from appliance.gallery.watchlist.sealed import Terms, seal
from appliance.security.keys import load_signer, new_appliance_keys
from appliance.supervision.list_watch import ListWatch
from appliance.supervision.live_deployment import LiveDeployment
from appliance.supervision.workers import WorkerSpec
from appliance.vision.gpu import gpu_present
from appliance.vision.models import load_manifest


def config_of(folder: Path, ends_in: timedelta = timedelta(hours=1)) -> Any:
    now = utc_now()
    document = {
        "deployment": {
            "id": "test",
            "starts": utc_text(now - timedelta(hours=1)),
            "ends": utc_text(now + ends_in),
        },
        "watchlist": {"file": "list.lfrw", "key": "keys/seal.key", "approvals": 0},
        "cameras": [{"name": "north", "source": "test:"}],
        "matching": {"threshold": 0.9, "threshold_set_by": "A. Ash", "threshold_reason": "a test"},
        "alerts": {"state_dir": "state", "keep_hours": 1},
    }
    return configuration.parse(document, folder / "config.yaml")


def build(config: Any, ids: list[str], sequence: int) -> None:
    keys = config.watchlist.key.parent
    if not keys.exists():
        new_appliance_keys(keys, "B. Birch")
    manifest = load_manifest()
    embedder = manifest.embedder("mobilefacenet")
    templates = np.random.default_rng(sequence).normal(size=(len(ids), embedder.dimension)).astype(np.float32)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    entries = tuple(Entry(id=name, category="theft") for name in ids)
    payload = Payload(
        entries, templates, np.arange(len(ids), dtype=np.int32), [bytearray(b"\xff\xd8jpeg") for _ in ids]
    )
    seal(
        config.watchlist.file,
        payload,
        load_signer(keys / "builder.key"),
        Terms(
            recipient=(keys / "seal.pub").read_text().split()[0],
            embedder=embedder.ref,
            expires=utc_now() + timedelta(hours=4),
            deployment="test",
            sequence=sequence,
        ),
    )


@pytest.fixture
def live(tmp_path: Path) -> Any:
    config = config_of(tmp_path)
    build(config, ["N-1", "N-2"], sequence=5)
    made = LiveDeployment(config)
    made.prepare()
    return made


def acts_of(live: LiveDeployment) -> list:
    return list(AuditRecord(live.config.alerts.state_dir).records())


def test_a_list_is_recorded_by_ids_and_counts_and_its_change_by_the_difference(live: Any, tmp_path: Path) -> None:
    watch = ListWatch(live.config.watchlist.file, tmp_path, live)
    facts = watch.open()
    assert (facts.ids, facts.counts, facts.sequence) == ({"N-1", "N-2"}, {"theft": 2}, 5)
    build(live.config, ["N-2", "N-3"], sequence=6)
    assert [watch.poll() for _ in range(2)] == [False, True], "a change is believed at the second look"
    change = next(record for record in acts_of(live) if record.act == "watchlist.change")
    assert (change.details["added"], change.details["removed"]) == (["N-3"], ["N-1"])
    assert [record.sequence for record in Store(live.config.alerts.state_dir).load().lists] == [5, 6]


def test_an_older_list_and_a_damaged_one_are_refused_and_the_accepted_copy_stays(live: Any, tmp_path: Path) -> None:
    watch = ListWatch(live.config.watchlist.file, tmp_path, live)
    digest = watch.open().digest
    accepted = watch.accepted.read_bytes()
    build(live.config, ["N-9"], sequence=4)
    assert not any(watch.poll() for _ in range(3))
    assert "older list" in watch.refused
    assert str(live.config.watchlist.file) in watch.refused, "the operator's name of the file, not that of the copy"
    live.config.watchlist.file.write_bytes(b"\0" * 5000)
    assert not any(watch.poll() for _ in range(3))
    assert (watch.facts.digest, watch.accepted.read_bytes()) == (digest, accepted)
    assert [record.act for record in acts_of(live)].count("watchlist.refused") == 2


def test_the_page_with_faces_is_destroyed_when_recognition_starts_and_the_certificate_lists_it(
    live: Any, tmp_path: Path
) -> None:
    page = live.config.watchlist.file.with_name(live.config.watchlist.file.name + ".report.html")
    page.write_text("faces")
    watch = ListWatch(live.config.watchlist.file, tmp_path, live)
    watch.open()
    assert page.exists(), "before the start somebody may still look at it"
    live.started()
    assert not page.exists()
    build(live.config, ["N-2", "N-3"], sequence=6)
    page.write_text("faces")
    assert [watch.poll() for _ in range(2)] == [False, True]
    assert not page.exists()
    watch.forget()
    live.end("over")
    assert str(page) in [item.path for item in certificate.load(live.config).destroyed]


def test_a_pipe_in_the_place_of_the_list_is_refused_and_not_waited_for(live: Any, tmp_path: Path) -> None:
    watch = ListWatch(live.config.watchlist.file, tmp_path, live)
    digest = watch.open().digest
    live.config.watchlist.file.unlink()
    os.mkfifo(live.config.watchlist.file)
    assert not any(watch.poll() for _ in range(3))
    assert "is not a file" in watch.refused
    assert watch.facts.digest == digest


def test_no_list_no_start(live: Any, tmp_path: Path) -> None:
    live.config.watchlist.file.unlink()
    with pytest.raises(WatchlistError, match="does not exist"):
        ListWatch(live.config.watchlist.file, tmp_path, live).open()


def test_the_start_is_recorded_with_models_threshold_and_who_set_it(live: Any) -> None:
    live.started()
    state = Store(live.config.alerts.state_dir).load()
    assert (state.phase, state.threshold) == ("running", 0.9)
    assert state.ends == live.config.deployment.ends
    threshold = next(record for record in acts_of(live) if record.act == "threshold.set")
    assert threshold.details["set_by"] == "A. Ash"


def test_people_seen_are_added_up_over_runs_of_the_supervisor(live: Any) -> None:
    live.save_tally({"north": {"people": 3, "frames": 10}})
    live.save_tally({"north": {"people": 5, "frames": 30}})
    again = LiveDeployment(live.config)
    assert again.people_base() == {"north": 5}
    again.save_tally({"north": {"people": 2, "frames": 1}})
    tally = Tally.load(live.config.alerts.state_dir)
    assert (tally.people_seen, tally.cameras["north"].frames) == (7, 31)


def test_who_may_have_been_counted_twice_is_added_up_too_and_makes_the_rate_unknown(live: Any) -> None:
    assert live.uncertain_base() == 0
    live.save_tally({"north": {"people": 20, "uncertain": 10}})
    again = LiveDeployment(live.config)
    assert again.uncertain_base() == 10
    Journal.open(live.config.alerts.state_dir).close()
    found = again.guard(20, 10)
    assert (found.rate, found.interval, found.breach, found.unknown) == (None, None, False, True)
    assert again.guard(2000, 10).rate == 0.0


def test_a_tally_of_another_deployment_is_not_counted(live: Any) -> None:
    Tally(deployment="other", cameras={}).save(live.config.alerts.state_dir)
    assert live.people_base() == {}


def test_the_window_follows_extension_and_revocation_at_once(live: Any) -> None:
    ends = live.window().ends
    authority.extend(live.config, ends + timedelta(hours=1), "A. Ash", "Superintendent", "the crowd came late")
    assert live.window().ends == ends + timedelta(hours=1)
    assert not live.window().over
    authority.revoke(live.config, "A. Ash", "the reason fell away")
    assert "A. Ash" in live.window().over


def test_a_tampered_state_is_lost_authority(live: Any) -> None:
    path = live.config.alerts.state_dir / "deployment.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "extensions": []}))
    assert live.window().over


def test_an_incomplete_record_is_refused(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.supervision.live_deployment.read_ready", lambda manifest, asset: b"")
    with pytest.raises(AuthorityError, match="missing from the deployment's record"):
        live.require()


@pytest.mark.skipif(gpu_present(), reason="a GPU answers here, so that cuda may run")
def test_a_provider_that_was_named_and_does_not_run_stops_the_start(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "require", lambda *_: None)
    models = live.config.models.model_copy(update={"provider": "cuda"})
    with pytest.raises(ProviderError, match="cuda"):
        LiveDeployment(live.config.model_copy(update={"models": models})).require()


def test_the_end_destroys_list_and_key_and_a_late_start_finds_it_over(live: Any) -> None:
    live.end("the end time")
    assert not live.config.watchlist.file.exists()
    assert not live.config.watchlist.key.exists()
    late = LiveDeployment(live.config)
    late.prepare()
    assert late.window().over
    late.end("again")
    late.purge()
    assert late.kept_until() is None


def test_worker_specs_name_rooms_above_without_importing_them(live: Any, tmp_path: Path) -> None:
    spec = live.camera_spec("north", tmp_path, tmp_path / "accepted.lfrw")
    settings = pickle.loads(pickle.dumps(spec.settings()))
    assert settings.watchlist.file == tmp_path / "accepted.lfrw"
    assert settings.watchlist.builders_dir == live.config.watchlist.builders_dir
    assert settings.process == spec.name
    assert live.console_spec(tmp_path) is None
    assert live.hub_spec(tmp_path).settings.deployment == "test"


def test_what_rooms_above_offer_is_handed_to_the_processes(live: Any, tmp_path: Path) -> None:
    console = WorkerSpec("console", "fake:serve")
    asked: list[Path] = []

    def make_console(runtime: Path) -> WorkerSpec:
        asked.append(runtime)
        return console

    made = LiveDeployment(live.config, console=make_console, simulated={"street": "some.lab:open"})
    assert made.console_spec(tmp_path) is console
    assert asked == [tmp_path]
    assert made.camera_spec("north", tmp_path, tmp_path).settings().simulated == {"street": "some.lab:open"}
