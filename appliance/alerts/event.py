"""One event of the journal as readers see it: topic, header and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from appliance.alerts.messages import Alert, Decision, Sighting
from appliance.core.errors import StreamError

Topic = Literal["alert", "decision", "sighting"]
Header = Alert | Decision | Sighting

MODELS: dict[str, type[Alert] | type[Decision] | type[Sighting]] = {
    "alert": Alert,
    "decision": Decision,
    "sighting": Sighting,
}
"""The header of each topic of the journal."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, at its place in the one series of the journal.

    Attributes
    ----------
    topic
        `alert`, `decision` or `sighting`.
    header
        The model of that topic.
    pictures
        JPEG: redacted scene, face, watchlist picture for an alert; empty for the others, and when not asked for.
    """

    topic: Topic
    header: Header
    pictures: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def seq(self) -> int:
        """Position in the journal, from 1."""
        return self.header.seq


def parse_event(topic: bytes | str, header_json: bytes | str, pictures: tuple[bytes, ...] = ()) -> Event:
    """The event of the frames that the hub sends.

    Raises
    ------
    StreamError
        An unknown topic, or a header that is not of its form.
    """
    name = topic.decode("ascii", "replace") if isinstance(topic, bytes) else topic
    model = MODELS.get(name)
    if model is None:
        raise StreamError(f"The stream sent a topic that this version does not know: {name[:32]!r}.")
    try:
        header = model.model_validate_json(header_json)
    except ValidationError as error:
        raise StreamError(f"The stream sent a malformed {name}: {error.error_count()} fields are wrong.") from None
    return Event(name, header, pictures)  # type: ignore[arg-type]
