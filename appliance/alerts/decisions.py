"""What people decided on an alert, and what of it stands: the one place where that is worked out.

Of each kind one decision stands for an alert, until an undo names it; a second one is refused before that. An undo
is final: it cannot be undone itself, another decision of that kind takes its place. So what stands follows from the
decisions of an alert in the order of the journal, and from nothing else.

An alert is *false* when its standing outcome is `not_the_person` or, without an outcome, when its standing operator
decision is `no_match`. It is *true* when its standing outcome is `confirmed` or `arrested` or, without an outcome,
when the operator's is `match`. It is *undecided* while no operator decision and no outcome stands, and *other* else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

from appliance.alerts.messages import DECISION_VALUES, Decision
from appliance.core.errors import DecisionConflict, StreamError

Judgement = Literal["false", "true", "other", "undecided"]

TELLS_MOST_FIRST: Final = ("outcome", "engagement", "operator", "passed_on", "taken")
"""The kinds of decision, those first that tell most about how far an alert has come."""

_JUDGED_BY: Final[dict[str, dict[str, Judgement]]] = {
    "outcome": {"not_the_person": "false", "confirmed": "true", "arrested": "true"},
    "operator": {"no_match": "false", "match": "true"},
}


class Decided(Protocol):
    """What has to be known of a decision: `Decision` itself, or a row that was kept of one."""

    @property
    def id(self) -> str:
        """Names it."""

    @property
    def kind(self) -> str:
        """`operator`, `undo`, …"""

    @property
    def value(self) -> str:
        """One of the values of its kind."""

    @property
    def undoes(self) -> str | None:
        """For an undo: the id of the decision that it takes back."""


D = TypeVar("D", bound=Decided)


@dataclass(frozen=True, slots=True)
class Standing(Generic[D]):
    """What the decisions on one alert come to.

    Attributes
    ----------
    by_kind
        The decision of each kind that stands.
    undone
        Ids of those that stood and were taken back.
    """

    by_kind: Mapping[str, D]
    undone: frozenset[str]

    @property
    def state(self) -> str:
        """How the operator judged it: `match`, `no_match`, `cannot_tell`, or `undecided`."""
        operator = self.by_kind.get("operator")
        return operator.value if operator else "undecided"

    @property
    def judged(self) -> Judgement:
        """Whether people found the alert to be false or true, as the module defines it."""
        for kind, meanings in _JUDGED_BY.items():
            if kind in self.by_kind:
                return meanings.get(self.by_kind[kind].value, "other")
        return "undecided"

    @property
    def tells_most(self) -> D | None:
        """The standing decision that says how far the alert has come; None when nothing stands."""
        return next((self.by_kind[kind] for kind in TELLS_MOST_FIRST if kind in self.by_kind), None)

    @property
    def waits_for_operator(self) -> bool:
        """No operator has judged it."""
        return "operator" not in self.by_kind

    @property
    def waits_for_engagement(self) -> bool:
        """In the street nobody has decided on it, and nothing came of it yet."""
        return "engagement" not in self.by_kind and "outcome" not in self.by_kind


def standing_of(decisions: Iterable[D]) -> Standing[D]:
    """What stands of the decisions of one alert, given in the order of the journal, undone ones and undos included."""
    by_kind: dict[str, D] = {}
    undone: set[str] = set()
    for decision in decisions:
        if decision.kind != "undo":
            by_kind.setdefault(decision.kind, decision)
            continue
        for kind, other in by_kind.items():
            if other.id == decision.undoes:
                undone.add(other.id)
                del by_kind[kind]
                break
    return Standing(by_kind, frozenset(undone))


def check_form(decision: Decision) -> None:
    """Refuse what no alert can have.

    Raises
    ------
    StreamError
        A value that this kind does not have; an undo that names nothing, or another kind that names something.
    """
    allowed = DECISION_VALUES[decision.kind]
    if decision.value not in allowed:
        raise StreamError(f"A decision of kind {decision.kind} says {' or '.join(allowed)}, not {decision.value!r}.")
    if (decision.kind == "undo") != bool(decision.undoes):
        raise StreamError("An undo, and only an undo, names the decision that it takes back.")


def check_next(decision: Decision, standing: Standing[Decision]) -> None:
    """Refuse what cannot follow on what stands for the alert.

    Raises
    ------
    DecisionConflict
        Another decision of that kind stands; for an undo, the decision that it names does not stand.
    """
    if decision.kind == "undo":
        if not any(other.id == decision.undoes for other in standing.by_kind.values()):
            raise DecisionConflict(
                f"The decision {decision.undoes} does not stand for this alert.", "Look at what stands now: lfr alerts."
            )
        return
    other = standing.by_kind.get(decision.kind)
    if other is not None:
        said = other.value.replace("_", " ")
        raise DecisionConflict(
            f"{other.by} said {said} ({other.kind}) at {other.at:%H:%M:%S} UTC already.",
            "Undo that decision first to make another.",
            standing=other,
        )
