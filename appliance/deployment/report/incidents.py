"""What went wrong during a deployment, as the audit record tells it: outages, restarts, breaches, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from appliance.audit.chain import AuditLine
from appliance.audit.record import AuditRecord


@dataclass(frozen=True, slots=True)
class Outage:
    """A camera without pictures; `until` is None while it lasts."""

    camera: str
    begun: datetime
    until: datetime | None
    detail: str = ""

    def seconds(self, now: datetime) -> float:
        """How long, up to now."""
        return ((self.until or now) - self.begun).total_seconds()


@dataclass(slots=True)
class Incidents:
    """Everything of one deployment.

    Attributes
    ----------
    ran
        When recognition ran: from, until (None: it still does).
    repaired
        The audit record was torn or found damaged.
    """

    outages: list[Outage] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    breaches: list[tuple[datetime, str]] = field(default_factory=list)
    refused_lists: list[tuple[datetime, str]] = field(default_factory=list)
    repaired: list[datetime] = field(default_factory=list)
    ran: list[tuple[datetime, datetime | None]] = field(default_factory=list)


def of_deployment(audit: AuditRecord, deployment: str) -> list[AuditLine]:
    """The acts since a deployment was taken up, until the next one was."""
    kept: list[AuditLine] = []
    ours = True
    for record in audit.records():
        named = record.details.get("deployment")
        if record.act == "deployment.open":
            ours = named == deployment
            if ours:
                kept.clear()
        if ours:
            kept.append(record)
    return kept


def read(records: list[AuditLine]) -> Incidents:
    """Put pairs together: down and up, start and stop."""
    found = Incidents()
    down: dict[str, tuple[datetime, str]] = {}

    def up(camera: str, at: datetime) -> None:
        if camera in down:
            begun, detail = down.pop(camera)
            found.outages.append(Outage(camera, begun, at, detail))

    for record in records:
        at = datetime.fromisoformat(record.at)
        camera = str(record.details.get("camera", ""))
        match record.act:
            case "deployment.start":
                found.ran.append((at, None))
            case "deployment.stop" | "end.begin":
                for name in list(down):
                    up(name, at)
                if found.ran and found.ran[-1][1] is None:
                    found.ran[-1] = (found.ran[-1][0], at)
            case "camera.down":
                down.setdefault(camera, (at, str(record.details.get("detail", ""))))
            case "camera.up":
                up(camera, at)
            case "process.restarted":
                name = str(record.details.get("worker") or record.details.get("process") or "a process")
                found.restarts[name] = found.restarts.get(name, 0) + 1
            case "guard.breach":
                found.breaches.append((at, str(record.details.get("sentence", ""))))
            case "watchlist.refused":
                found.refused_lists.append((at, str(record.details.get("reason", ""))))
            case "audit.repair":
                found.repaired.append(at)
            case _:
                pass
    found.outages += [Outage(camera, begun, None, detail) for camera, (begun, detail) in down.items()]
    found.outages.sort(key=lambda outage: outage.begun)
    return found
