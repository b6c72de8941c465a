"""What every act refuses, cuts or cleans, whatever it is about."""

from typing import Any

import pytest

from appliance.audit.act import MAX_PATH, MAX_TEXT
from appliance.audit.acts import DeploymentOpen, DeploymentRevoke, DeploymentStop, GuardBreach, Purge, ViewAlert, Wipe
from appliance.core.errors import ActRefused, AuditError

PICTURE = "/9j/" + "4AAQSkZJRg" * 20


@pytest.mark.parametrize("reason", [PICTURE, "see " + "A" * 129, "word " * 1000])
def test_what_a_person_gave_is_refused_where_it_is_too_long_or_looks_like_a_picture(reason: str) -> None:
    with pytest.raises(ActRefused, match=r"refuses deployment\.revoke: reason"):
        DeploymentRevoke(deployment="d-1", reason=reason)


@pytest.mark.parametrize(
    "reason", ["", "a" * 128, "Ænder, “quoted”\nline", "sha256 " + "ab" * 64, "/home/" + "deep/" * 60]
)
def test_hashes_sentences_and_paths_are_taken(reason: str) -> None:
    assert DeploymentRevoke(deployment="d-1", reason=reason).reason == reason


def test_what_the_appliance_says_is_cut_and_never_refused() -> None:
    assert DeploymentStop(why="word " * 1000).why == ("word " * 1000)[: MAX_TEXT - 1] + "…"
    assert DeploymentStop(why="x" * MAX_TEXT).why == "…", "a run like that is data"
    assert DeploymentStop(why=f"cannot read {PICTURE} here").why == "cannot read … here"
    assert DeploymentStop(why="").why == ""


def test_a_file_whose_name_is_no_text_can_be_recorded_as_destroyed() -> None:
    path = "/tmp/" + "n" * 200 + "\udcff"
    assert Wipe(stage="begin", what="temporary file", path=path).path == path[:-1] + "?"
    with pytest.raises(ActRefused, match="path"):
        Wipe(stage="begin", what="temporary file", path="/" * (MAX_PATH + 1))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ViewAlert(alert=b"\xff\xd8"), "alert"),
        (lambda: ViewAlert(alert=[0.1] * 512), "alert"),
        (lambda: ViewAlert(alert="x" * 129), "alert"),
        (lambda: GuardBreach(sentence="high", rate=float("nan")), "rate"),
        (lambda: GuardBreach(sentence=None), "sentence"),
        (lambda: Purge(alerts=-1), "alerts"),
        (lambda: Purge(alerts=501, ids=["a"] * 501), "ids"),
        (lambda: DeploymentOpen(deployment="d-1", state_sha256="abc"), "state_sha256"),
        (lambda: DeploymentOpen(), "deployment"),  # type: ignore[call-arg]
    ],
)
def test_details_that_do_not_fit_are_one_sentence_that_names_act_and_field(make: Any, field: str) -> None:
    with pytest.raises(AuditError) as told:
        make()
    assert f": {field}: " in str(told.value)
    assert "\n" not in str(told.value)


def test_an_act_that_was_made_does_not_change() -> None:
    act = ViewAlert(alert="a-1")
    with pytest.raises(ValueError, match="frozen"):
        act.alert = "a-2"  # type: ignore[misc]


def test_an_act_holds_what_was_given_and_no_more() -> None:
    assert ViewAlert(alert="a-1").as_json() == {"alert": "a-1"}
    assert DeploymentOpen(deployment="d-1").with_state("ab" * 32).as_json() == {
        "deployment": "d-1",
        "state_sha256": "ab" * 32,
    }
