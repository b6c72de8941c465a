"""What the page's own requests are answered: pictures, decisions and who may make them."""

import uuid
from typing import Any

import pytest
from console_stage import acts_of, decide, follows, open_stage, told_of
from waiting import until


@pytest.mark.parametrize("name", ["face", "scene", "photo"])
def test_a_picture_is_no_store_and_its_view_is_in_the_audit_record(
    stage: Any, anna: Any, alert: Any, name: Any
) -> None:
    answer = anna.get(f"/api/alerts/{alert.id}/{name}.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    views = acts_of(stage, "view.alert", lambda record: record.details["alert"] == alert.id)
    assert [record.by for record in views] == ["anna"]


def test_a_decision_is_recorded_under_the_name_that_signed_in(stage: Any, anna: Any, alert: Any) -> None:
    answer = decide(anna, alert, value="no_match", reason="Features differ", seconds_taken=3.2)
    assert answer.status_code == 200
    assert answer.json()["decision"]["by"] == "anna"
    assert answer.json()["decision"]["role"] == "operator"
    assert acts_of(stage, "decision.operator", lambda record: record.details["alert"] == alert.id)


def test_a_page_cannot_say_who_decided(anna: Any, alert: Any) -> None:
    assert decide(anna, alert, by="ben").status_code == 400


def test_the_same_decision_sent_twice_is_one_decision(anna: Any, alert: Any) -> None:
    body = {"id": str(uuid.uuid4()), "kind": "operator", "value": "match"}
    first = anna.post(f"/api/alerts/{alert.id}/decisions", json=body)
    again = anna.post(f"/api/alerts/{alert.id}/decisions", json={**body, "age_ms": 4000})
    assert first.json()["decision"] == again.json()["decision"]


def test_who_comes_second_is_told_what_stands(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    decide(anna, alert, value="match")
    answer = decide(sam, alert, value="no_match")
    assert answer.status_code == 409
    assert answer.json()["error"]["standing"]["by"] == "anna"
    assert answer.json()["error"]["standing"]["value"] == "match"


def test_undo_is_for_oneself_or_a_supervisor(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    decided = decide(anna, alert).json()["decision"]
    told_of(anna, alert, 1)
    with stage.client("ben") as ben:
        answer = decide(ben, alert, "undo", "undo", undoes=decided["id"])
        assert answer.status_code == 403
        assert "anna" in answer.json()["error"]["message"]
    assert decide(sam, alert, "undo", "undo", undoes=decided["id"]).status_code == 200
    assert decide(anna, alert, value="cannot_tell").status_code == 200


@pytest.mark.parametrize(("name", "kind", "value"), [("vic", "operator", "match"), ("anna", "engagement", "engage")])
def test_a_role_decides_only_what_is_its_own(stage: Any, alert: Any, name: Any, kind: Any, value: Any) -> None:
    with stage.client(name) as client:
        answer = decide(client, alert, kind, value)
    assert answer.status_code == 403
    assert "role" in answer.json()["error"]["message"]


def test_an_engagement_officer_gets_nothing_before_it_is_passed_on(stage: Any, anna: Any, alert: Any) -> None:
    with stage.client("eve") as eve:
        for path in ("", "/face.jpg", "/photo.jpg"):
            assert eve.get(f"/api/alerts/{alert.id}{path}").status_code == 404
        assert eve.get("/api/history").status_code == 403
        assert eve.get("/api/cameras/north/preview.jpg").status_code == 403
        decide(anna, alert, "passed_on", "passed_on")
        until(lambda: eve.get(f"/api/alerts/{alert.id}/face.jpg").status_code == 200)
        assert decide(eve, alert, "engagement", "engage").status_code == 200


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"id": 1}', b'{"id": "' + b"a" * 40 + b'", "kind": "operator", "value": "yes"}', b"\xff\xfe"],
)
def test_a_malformed_decision_gets_a_sentence(anna: Any, shown: Any, content: Any) -> None:
    headers = {"content-type": "application/json"}
    answer = anna.post(f"/api/alerts/{shown.id}/decisions", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


def test_the_answer_to_a_decision_brings_the_alert_as_it_then_is(anna: Any, alert: Any) -> None:
    answer = decide(anna, alert, value="no_match").json()
    assert answer["case"]["standing"] == {"operator": answer["decision"]["id"]}
    assert answer["case"]["state"] == "no_match"
    assert answer["case"]["waits"]["operator"] is False


def test_a_new_alert_is_shown_without_the_hub_and_its_view_is_recorded_all_the_same() -> None:
    with open_stage() as stage, stage.client("anna") as anna:
        follows(anna)
        made = stage.publish(quick=True)
        until(lambda: anna.get(f"/alerts/{made.id}").status_code == 200)
        stage.kill_hub()
        for name in ("scene", "face", "photo"):
            answer = anna.get(f"/api/alerts/{made.id}/{name}.jpg")
            assert answer.status_code == 200
            assert answer.content.startswith(b"\xff\xd8")
        assert [act for act in stage.audit() if act.act == "view.alert"] == []
        stage.start_hub()
        views = acts_of(stage, "view.alert", lambda record: record.details["alert"] == made.id, timeout_s=30)
        assert [record.by for record in views] == ["anna"]
