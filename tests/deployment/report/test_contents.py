"""What may be published is a model of its own, without a field for what helps to evade or names anybody."""

import pytest
from pydantic import BaseModel, ValidationError

from appliance.deployment.report import contents
from appliance.deployment.report.contents import AlertRow, DecisionRow, FullReport, PublicReport, Rate


def fields_of(model: type[BaseModel]) -> set[str]:
    """Every field's name, those of the models in it too."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(name)
        pending = [field.annotation]
        while pending:
            kind = pending.pop()
            pending += getattr(kind, "__args__", ())
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= fields_of(kind)
    return names


def test_the_public_part_has_no_field_for_a_name_an_id_a_camera_or_a_score() -> None:
    assert not fields_of(PublicReport) & {
        "id", "alert", "entry", "camera", "name", "by", "label", "score", "captured_at", "reason", "authorised_by",
        "builder", "approvals", "blue_ids", "ids", "purpose_of_camera", "detail",
    }  # fmt: skip
    assert {"public", "alerts", "lists", "walks"} <= set(FullReport.model_fields)


def test_the_full_part_does_hold_who_decided() -> None:
    assert {"by", "alert", "entry", "camera"} <= fields_of(FullReport)


def test_an_alert_whose_journal_is_purged_still_has_its_decisions() -> None:
    made = DecisionRow(id="d-1", alert="a", kind="operator", value="match", by="PC Lee", at="2026-11-21T10:00:00Z")
    row = AlertRow(id="a", decisions=[made])
    assert (row.captured_at, row.score) == ("", None)
    assert "d-1" not in row.model_dump_json()


@pytest.mark.parametrize(
    "given", [{"cases": 1}, {"cases": "many", "of": 2, "rate": 0.5, "low": 0, "high": 1, "sentence": ""}]
)
def test_a_rate_is_whole_or_none(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rate.model_validate(given)


def test_a_walks_row_holds_what_became_of_it() -> None:
    assert set(contents.WalkRow.model_fields) == {"entry", "camera", "at", "by", "result"}
