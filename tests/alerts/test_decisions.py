"""What stands of the decisions on an alert, and what may follow on it: one rule for everybody who asks."""

import random
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, pictures

from appliance.alerts.decisions import TELLS_MOST_FIRST, Standing, check_form, check_next, standing_of
from appliance.alerts.journal import Journal
from appliance.alerts.messages import DECISION_VALUES, Decision
from appliance.core.errors import DecisionConflict, StreamError


def undo(of: Decision) -> Decision:
    return decision(of.alert_id, "undo", "undo", undoes=of.id)


class TestStanding:
    def test_of_no_decision_nothing_stands_and_the_alert_waits_for_everybody(self) -> None:
        standing: Standing[Decision] = standing_of([])
        assert dict(standing.by_kind) == {}
        assert standing.undone == frozenset()
        assert (standing.state, standing.judged, standing.tells_most) == ("undecided", "undecided", None)
        assert standing.waits_for_operator
        assert standing.waits_for_engagement

    def test_what_was_not_undone_stands(self) -> None:
        first, second = decision("a"), decision("a", "outcome", "lost")
        standing = standing_of([first, second, undo(first)])
        assert standing.by_kind == {"outcome": second}
        assert standing.undone == {first.id}

    def test_after_an_undo_another_one_of_that_kind_stands(self) -> None:
        first, second = decision("a"), decision("a", value="no_match")
        standing = standing_of([first, undo(first), second])
        assert standing.by_kind == {"operator": second}
        assert standing.state == "no_match"

    def test_an_undo_is_final_whatever_names_it(self) -> None:
        first = decision("a")
        back = undo(first)
        standing = standing_of([first, back, undo(back), undo(first)])
        assert dict(standing.by_kind) == {}
        assert standing.undone == {first.id}

    def test_a_second_one_of_a_kind_that_stands_has_no_effect(self) -> None:
        first, second = decision("a"), decision("a", value="no_match")
        assert standing_of([first, second]).by_kind == {"operator": first}
        assert standing_of([first, second, undo(second)]).by_kind == {"operator": first}

    def test_an_undo_of_what_it_does_not_know_takes_nothing_back(self) -> None:
        first = decision("a")
        standing = standing_of([undo(decision("a")), first])
        assert standing.by_kind == {"operator": first}
        assert standing.undone == frozenset()

    def test_kinds_stand_beside_each_other_and_the_one_that_tells_most_is_known(self) -> None:
        made = []
        for kind in reversed(TELLS_MOST_FIRST):
            made.append(decision("a", kind, DECISION_VALUES[kind][0]))
            assert standing_of(made).tells_most is made[-1]

    @pytest.mark.parametrize(
        ("operator", "outcome", "judged"),
        [
            (None, None, "undecided"),
            ("match", None, "true"),
            ("no_match", None, "false"),
            ("cannot_tell", None, "other"),
            ("match", "not_the_person", "false"),
            ("no_match", "confirmed", "true"),
            (None, "arrested", "true"),
            ("match", "lost", "other"),
            ("no_match", "no_action", "other"),
        ],
    )
    def test_an_outcome_outweighs_the_operator(self, operator: str | None, outcome: str | None, judged: str) -> None:
        said = (("operator", operator), ("outcome", outcome))
        assert standing_of([decision("a", kind, value) for kind, value in said if value]).judged == judged

    def test_taken_and_passed_on_judge_nothing(self) -> None:
        standing = standing_of([decision("a", "taken", "taken"), decision("a", "passed_on", "passed_on")])
        assert standing.judged == "undecided"
        assert standing.waits_for_operator

    @pytest.mark.parametrize(("kind", "value"), [("engagement", "engage"), ("outcome", "lost")])
    def test_in_the_street_an_engagement_or_an_outcome_ends_the_waiting(self, kind: str, value: str) -> None:
        standing = standing_of([decision("a", "passed_on", "passed_on"), decision("a", kind, value)])
        assert not standing.waits_for_engagement


class TestNext:
    def test_the_second_is_told_who_what_and_when(self) -> None:
        first = decision("a", by="PC Singh")
        with pytest.raises(DecisionConflict, match=r"PC Singh said match \(operator\) at \d\d:\d\d") as told:
            check_next(decision("a", value="no_match"), standing_of([first]))
        assert told.value.standing == first

    def test_another_kind_and_the_undo_of_what_stands_may_follow(self) -> None:
        first = decision("a")
        for following in (decision("a", "outcome", "lost"), undo(first)):
            check_next(following, standing_of([first]))

    def test_what_does_not_stand_cannot_be_undone(self) -> None:
        first = decision("a")
        back = undo(first)
        for following in (undo(first), undo(back), undo(decision("a"))):
            with pytest.raises(DecisionConflict, match="does not stand"):
                check_next(following, standing_of([first, back]))


@pytest.mark.parametrize(
    ("kind", "value", "undoes"),
    [("operator", "engage", None), ("outcome", "", None), ("undo", "undo", None), ("operator", "match", "x")],
)
def test_what_no_alert_can_have_is_refused(kind: str, value: str, undoes: str | None) -> None:
    with pytest.raises(StreamError):
        check_form(decision("a", kind, value, undoes=undoes))


@pytest.mark.parametrize("seed", range(5))
def test_the_journal_takes_what_may_follow_and_keeps_for_versions_before_what_stands(tmp_path: Path, seed: int) -> None:
    """Decisions in any order: the table that older versions read is always what the function says."""
    rng = random.Random(seed)
    with Journal.open(tmp_path) as journal:
        ids = [alert().id for _ in range(3)]
        for one in ids:
            journal.append_alert(alert(id=one), pictures(size=10))
        refused = 0
        for _ in range(60):
            one = rng.choice(ids)
            made = journal.decisions(one)
            kind: Any = rng.choice(list(DECISION_VALUES))
            undoes = rng.choice([other.id for other in made] or ["none"]) if kind == "undo" else None
            try:
                journal.append_decision(decision(one, kind, rng.choice(DECISION_VALUES[kind]), undoes=undoes))
            except DecisionConflict:
                refused += 1
        assert refused > 5
        for one in ids:
            stands = {kind: made.seq for kind, made in standing_of(journal.decisions(one)).by_kind.items()}
            kept = journal._db.execute("SELECT kind, seq FROM standing WHERE alert_id = ?", (one,)).fetchall()
            assert dict(kept) == stands
