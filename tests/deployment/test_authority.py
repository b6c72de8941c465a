"""No camera starts without a complete record; no end moves without a new authorisation."""

import time
from datetime import timedelta
from typing import Any

import pytest

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import DeploymentStart
from appliance.audit.record import AuditRecord
from appliance.core.errors import AuthorityError
from appliance.deployment import authority
from appliance.deployment.store import Store

MODEL = 0.55


def keys(config: Any, now: Any, state: Any = None) -> Any:
    return {problem.key for problem in authority.check(config, state, now, MODEL)}


def test_a_complete_record_has_no_problems(config: Any, now: Any) -> None:
    assert keys(config, now) == set()
    authority.require(config, None, now, MODEL)


@pytest.mark.parametrize("text", ["", "  ", "…", "TBD", "n/a", "xxx", "???", "-"])
@pytest.mark.parametrize("name", ["location", "purpose", "legal_basis", "necessity", "proportionality"])
def test_an_empty_or_placeholder_text_is_missed(make_config: Any, now: Any, name: Any, text: Any) -> None:
    assert keys(make_config(**{f"deployment__{name}": text}), now) == {f"deployment.{name}"}


@pytest.mark.parametrize("name", ["purpose", "necessity", "proportionality"])
def test_one_word_is_no_reason(make_config: Any, now: Any, name: Any) -> None:
    assert keys(make_config(**{f"deployment__{name}": "Crime"}), now) == {f"deployment.{name}"}


def test_everything_that_is_missing_is_said_at_once(make_config: Any, now: Any) -> None:
    bare = make_config(
        deployment={"id": "x", "starts": now.isoformat(), "ends": (now + timedelta(hours=1)).isoformat()},
        cameras=[{"name": "a", "source": "test:"}, {"name": "b", "source": "test:"}],
    )
    assert keys(bare, now) == {
        *(f"deployment.{name}" for name in ("location", "purpose", "legal_basis", "necessity", "proportionality")),
        *(f"deployment.authorised_by.{name}" for name in ("name", "rank", "at")),
        *(f"deployment.signs.{name}" for name in ("posted", "checked_by", "at")),
        "cameras.0.purpose",
        "cameras.1.purpose",
    }
    with pytest.raises(AuthorityError) as error:
        authority.require(bare, None, now, MODEL)
    assert str(error.value).count("\n") == 13
    assert "13 things are missing" in str(error.value)


def test_an_authorisation_of_the_future_or_after_the_start_does_not_count(make_config: Any, now: Any) -> None:
    officer = {"name": "A. Shah", "rank": "Superintendent"}
    later = make_config(deployment__authorised_by={**officer, "at": (now + timedelta(minutes=5)).isoformat()})
    assert keys(later, now) == {"deployment.authorised_by.at"}
    after = make_config(deployment__authorised_by={**officer, "at": (now - timedelta(minutes=5)).isoformat()})
    assert keys(after, now) == {"deployment.authorised_by.at"}


@pytest.mark.parametrize(
    ("matching", "missing"),
    [
        ({"threshold": MODEL}, set()),
        ({"threshold": 0.5}, {"matching.threshold_set_by", "matching.threshold_reason"}),
        ({"threshold": 0.5, "threshold_set_by": "A. Shah"}, {"matching.threshold_reason"}),
        ({"threshold": 0.5, "threshold_set_by": "A. Shah", "threshold_reason": "night trial"}, set()),
        (
            {"categories": {"terrorism": {"threshold": 0.5}, "missing": {"threshold": MODEL}}},
            {"matching.categories.terrorism.threshold_set_by", "matching.categories.terrorism.threshold_reason"},
        ),
        ({"categories": {"t": {"threshold": 0.5, "threshold_set_by": "A", "threshold_reason": "b"}}}, set()),
    ],
)
def test_a_threshold_other_than_the_models_needs_a_name_and_a_reason(
    make_config: Any, now: Any, matching: Any, missing: Any
) -> None:
    assert keys(make_config(matching=matching), now) == missing


def test_the_window_is_open_from_its_start_to_before_its_end(config: Any) -> None:
    found = authority.window(config)
    starts, ends = found.starts, found.ends
    assert [found.at(at) for at in (starts - timedelta(seconds=1), starts, ends - timedelta(seconds=1), ends)] == [
        "waiting", "open", "open", "ended",
    ]  # fmt: skip


def extend(config: Any, now: Any, hours: Any, **changes: Any) -> Any:
    given = {"by": "B. Lowe", "rank": "Superintendent", "reason": "a wanted man was seen near by", **changes}
    return authority.extend(config, config.deployment.ends + timedelta(hours=hours), now=now, **given)


def test_an_extension_moves_the_end_and_is_recorded(config: Any, now: Any) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    extend(config, now, 2)
    assert authority.window(config, store.load()).ends == config.deployment.ends + timedelta(hours=2)
    (act,) = [one for one in AuditRecord(config.alerts.state_dir).records() if one.act == "deployment.extend"]
    assert (act.by, act.details["rank"]) == ("B. Lowe", "Superintendent")


def test_an_edited_end_is_no_extension_once_recognition_has_started(make_config: Any, config: Any, now: Any) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    starts, ends = config.deployment.starts, config.deployment.ends
    later = make_config(deployment__ends=(ends + timedelta(hours=3)).isoformat())
    assert (
        authority.window(later, store.load()).ends == later.deployment.ends
    )  # before the start it may still be put right
    store.update(
        lambda state: state.model_copy(update={"phase": "running", "starts": starts, "ends": ends}),
        DeploymentStart(deployment="croydon-1"),
        APPLIANCE,
    )
    assert keys(later, now, store.load()) == {"deployment.ends"}
    assert authority.lost(later, store, ends) == "the end time has come"
    assert keys(config, now, store.load()) == set()
    sooner = make_config(deployment__ends=(ends - timedelta(hours=1)).isoformat())
    assert authority.window(sooner, store.load()).ends == sooner.deployment.ends
    extend(config, now, 3)
    assert keys(later, now, store.load()) == set()


def test_extensions_are_refused(config: Any, now: Any) -> None:
    for hours, changes, words in (
        (-1, {}, "not after the end"),
        (20, {}, "24 hours at most"),
        (1, {"by": " "}, "--by is empty"),
        (1, {"reason": "tbd"}, "--reason is empty"),
    ):
        with pytest.raises(AuthorityError, match=words):
            extend(config, now, hours, **changes)
    with pytest.raises(AuthorityError, match="cannot be extended"):
        extend(config, config.deployment.ends, 1)
    authority.revoke(config, "C. Hale", "complaint upheld", now)
    with pytest.raises(AuthorityError, match="has ended"):
        extend(config, now, 1)
    assert "deployment.extend" not in {one.act for one in AuditRecord(config.alerts.state_dir).records()}


def test_authority_is_lost_by_the_clock_by_hand_and_by_damage(config: Any, now: Any) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    assert authority.lost(config, store, now) == ""
    assert authority.lost(config, store, config.deployment.ends) == "the end time has come"
    extend(config, now, 1)
    assert authority.lost(config, store, config.deployment.ends) == ""
    authority.revoke(config, "C. Hale", "complaint upheld", now)
    assert authority.lost(config, store, now) == "revoked by C. Hale: complaint upheld"
    assert keys(config, now, store.load()) == {"deployment"}
    (config.alerts.state_dir / "deployment.json").unlink()
    assert "is missing" in authority.lost(config, store, now)


def test_looking_each_second_for_lost_authority_is_cheap(config: Any, now: Any) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    authority.lost(config, store, now)
    began = time.thread_time()  # of the processor: how long others had it meanwhile does not count
    for _ in range(200):
        authority.lost(config, store, now)
    assert (time.thread_time() - began) / 200 < 0.005


def test_the_present_window_says_why_it_is_over_before_its_time_and_not_when_the_clock_ends_it(
    config: Any, now: Any
) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    ends = config.deployment.ends
    assert authority.current_window(config, store, now).over == ""
    assert authority.current_window(config, store, ends).over == ""
    authority.revoke(config, "B. Lowe", "a complaint", now)
    assert authority.current_window(config, store, now).over == "revoked by B. Lowe: a complaint"
    assert authority.current_window(config, store, ends).over == "revoked by B. Lowe: a complaint"


def test_damage_to_the_state_ends_the_present_window(config: Any, now: Any) -> None:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    store.path.write_text("{}")
    found = authority.current_window(config, store, now)
    assert found.ends == config.deployment.ends
    assert "something else changed it" in found.over
