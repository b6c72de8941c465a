"""The counts that outlive the alerts: gathered from journal and audit record, kept in `figures.json`."""

from __future__ import annotations

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from appliance.alerts.messages import Alert, Decision, Sighting
from appliance.audit.record import AuditRecord
from appliance.config.live import Config
from appliance.core.clock import Moment, utc_now
from appliance.core.errors import JournalError, LfrError
from appliance.core.files import write_private
from appliance.deployment import blue_list
from appliance.deployment.report import decisions, incidents
from appliance.deployment.report.contents import DecisionRow, Seconds
from appliance.deployment.tally import slot_of

_log = structlog.get_logger()

FIGURES_FILE: Final = "figures.json"
Counts = dict[str, int]


class DeploymentCounts(BaseModel):
    """Counts without ids.

    Attributes
    ----------
    judged
        `true`, `false`, `other` (cannot tell, lost …) or `undecided`, by category, see `alerts.decisions`.
    decisions
        Those that stand, by kind and value.
    slots
        Alerts in each ten minutes, by camera; what was purged before it was gathered is in `alerts` only.
    walks_found
        Numbers (in the audit record) of blue-list walks that were found.
    """

    model_config = ConfigDict(extra="ignore")

    deployment: str
    gathered_at: Moment = Field(default_factory=utc_now)
    alerts: int = 0
    by_camera: Counts = Field(default_factory=dict)
    by_category: Counts = Field(default_factory=dict)
    judged: dict[str, Counts] = Field(default_factory=dict)
    decisions: dict[str, Counts] = Field(default_factory=dict)
    sightings: int = 0
    slots: dict[str, Counts] = Field(default_factory=dict)
    seconds: dict[str, Seconds] = Field(default_factory=dict)
    walks_found: list[int] = Field(default_factory=list)

    def total(self, judged: str) -> int:
        """Alerts that were judged so, over all categories."""
        return sum(self.judged.get(judged, {}).values())


def journal_exists(config: Config) -> bool:
    """Whether there is a journal (it is destroyed at the end of the alerts' time)."""
    return (config.alerts.state_dir / "journal.db").exists()


def alerts_held(config: Config) -> int:
    """How many alerts the journal holds now.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    if not journal_exists(config):
        return 0
    from appliance.alerts.journal import Journal

    with Journal.open_reader(config.alerts.state_dir) as journal:
        return sum(event.topic == "alert" for event in journal.events())


def load(config: Config) -> DeploymentCounts:
    """What was kept; zeros where nothing was."""
    wanted = config.deployment.id
    with contextlib.suppress(FileNotFoundError, ValidationError):
        kept = DeploymentCounts.model_validate_json((config.alerts.state_dir / FIGURES_FILE).read_bytes())
        if kept.deployment == wanted:
            return kept
    return DeploymentCounts(deployment=wanted)


def freeze(config: Config) -> DeploymentCounts:
    """Gather and keep; a journal that cannot be read leaves what was kept before."""
    try:
        figures = gather(config)
    except JournalError:
        return load(config)
    write_private(config.alerts.state_dir / FIGURES_FILE, figures.model_dump_json(indent=1).encode())
    return figures


def keep(config: Config) -> None:
    """Gather and keep, for a hub that is about to purge: it is said when that fails, and delays nothing."""
    try:
        freeze(config)
    except (LfrError, OSError) as error:
        _log.error("the counts of alerts that are purged could not be kept", reason=str(error))


def gather(config: Config, now: datetime | None = None) -> DeploymentCounts:
    """The counts as they are now: from the journal while there is one, joined with what was kept.

    Raises
    ------
    JournalError
        There is a journal, but it cannot be read.
    """
    kept = load(config)
    if not journal_exists(config):
        return kept
    from appliance.alerts.journal import Journal

    wanted = config.deployment.id
    slots: dict[str, Counts] = defaultdict(lambda: defaultdict(int))
    ours: set[str] = set()
    audit = AuditRecord(config.alerts.state_dir)
    made: list[Decision] = []
    sightings: list[Sighting] = []
    with Journal.open_reader(config.alerts.state_dir) as journal:
        tally = journal.tally(wanted)
        for event in journal.events():
            header = event.header
            if isinstance(header, Alert) and header.deployment == wanted:
                ours.add(header.id)
                slots[header.camera][slot_of(header.captured_at)] += 1
            elif isinstance(header, Decision) and header.alert_id in ours:
                made.append(header)
            elif isinstance(header, Sighting) and header.deployment == wanted:
                sightings.append(header)
    decided = decisions.gather(made, incidents.of_deployment(audit, wanted))
    walks = blue_list.walks(audit, wanted)
    found = blue_list.assess(walks, sightings, now or utc_now(), found_before=kept.walks_found)
    return DeploymentCounts(
        deployment=wanted,
        gathered_at=now or utc_now(),
        alerts=tally.alerts_total,
        by_camera=_fold(tally.alerts, lambda key: key[0]),
        by_category=_fold(tally.alerts, lambda key: key[1]),
        judged=_nest(tally.judged),
        decisions=_nest(tally.standing),
        sightings=tally.sightings.total(),
        slots=_highest(kept.slots, slots),
        seconds=_seconds(decided) or kept.seconds,
        walks_found=[outcome.walk.n for outcome in found.outcomes if outcome.result == "found"],
    )


def _fold(counts: dict[tuple[str, str], int], key: Callable[[tuple[str, str]], str]) -> Counts:
    sums: Counts = defaultdict(int)
    for pair, count in counts.items():
        sums[key(pair)] += count
    return dict(sorted(sums.items()))


def _nest(counts: dict[tuple[str, str], int]) -> dict[str, Counts]:
    nested: dict[str, Counts] = defaultdict(dict)
    for (outer, inner), count in sorted(counts.items()):
        nested[outer][inner] = count
    return dict(nested)


def _highest(kept: dict[str, Counts], fresh: dict[str, Counts]) -> dict[str, Counts]:
    """Each slot's higher count: a purge can only have taken alerts away."""
    return {
        camera: {
            slot: max(kept.get(camera, {}).get(slot, 0), fresh.get(camera, {}).get(slot, 0))
            for slot in sorted({*kept.get(camera, {}), *fresh.get(camera, {})})
        }
        for camera in sorted({*kept, *fresh})
    }


def _seconds(decided: list[DecisionRow]) -> dict[str, Seconds]:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for made in decided:
        if made.kind != "undo" and not made.undone and made.seconds_taken is not None:
            by_kind[made.kind].append(made.seconds_taken)
    return {
        kind: Seconds(
            n=len(values),
            median_s=round(statistics.median(values), 1),
            slowest_tenth_s=round(sorted(values)[int(0.9 * (len(values) - 1) + 0.5)], 1),
        )
        for kind, values in sorted(by_kind.items())
    }
