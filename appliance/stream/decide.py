"""A decision as a person gives it at a terminal: an alert by its id or number, a kind and a value, who and why."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from appliance.alerts.decisions import standing_of
from appliance.alerts.messages import DECISION_VALUES, Decision
from appliance.core.clock import utc_now
from appliance.core.errors import StreamError, UnknownAlert
from appliance.stream.client import HubClient

MAX_REASON_CHARACTERS: Final = 64
"""A longer reason is a note: the short field is for counting."""


def decide(hub: HubClient, alert: str, kind: str, value: str, by: str, reason: str) -> Decision:
    """Ask the hub to record a decision; as it was journaled.

    Parameters
    ----------
    alert
        Its id, or its sequence number.
    kind, value
        As `DECISION_VALUES` has them; to undo, the kind is `undo` and the value the kind of the decision taken back.

    Raises
    ------
    UnknownAlert
        The journal holds no such alert.
    DecisionConflict
        Another decision of that kind stands.
    StreamError
        There is nothing to undo, something given is not allowed, or the hub does not answer.
    """
    alert_id = _id_of(hub, alert)
    undoes = None
    if kind == "undo":
        undoes, value = _standing(hub, alert_id, value), "undo"
    document = {"alert_id": alert_id, "kind": kind, "value": value, "by": by, "at": utc_now(), "undoes": undoes}
    document |= {"reason": reason} if len(reason) <= MAX_REASON_CHARACTERS else {"note": reason}
    try:
        decision = Decision.model_validate(document)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in wrong["loc"])
        raise StreamError(f"The decision's {field} is not allowed: {wrong['msg']}.") from None
    return hub.decide(decision)


def _standing(hub: HubClient, alert_id: str, kind: str) -> str:
    """The id of the decision of a kind that stands for an alert."""
    if kind not in DECISION_VALUES or kind == "undo":
        kinds = ", ".join(name for name in DECISION_VALUES if name != "undo")
        raise StreamError(f"There is no decision of kind {kind!r} to undo.", f"Kinds are: {kinds}.")
    of_alert = [e.header for e in hub.events() if isinstance(e.header, Decision) and e.header.alert_id == alert_id]
    standing = standing_of(of_alert).by_kind.get(kind)
    if standing is None:
        raise StreamError(f"No decision of kind {kind} stands for this alert.", "There is nothing to undo.")
    return standing.id


def _id_of(hub: HubClient, alert: str) -> str:
    if not alert.isdigit():
        return alert
    found = hub.replay(int(alert), limit=1).events
    if not found or found[0].seq != int(alert) or found[0].topic != "alert":
        raise UnknownAlert(f"Number {alert} is no alert in the journal.", "lfr alerts lists them.")
    return found[0].header.id
