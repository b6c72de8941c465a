"""The record of a deployment: one page to publish, and the full one for the force; HTML that prints well, and JSON.

The page to publish is made from a model of its own that holds only what may be published: no camera, no id of a person
or an alert, no name of an officer, nothing about range or position. Group figures come only from the categories that
people recorded on the watchlist; nothing is inferred from a face.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.alerts.messages import Alert, Decision
from appliance.audit.chain import AuditLine
from appliance.audit.record import Act
from appliance.config.live import Config
from appliance.core import binomial
from appliance.core.clock import utc_now, utc_text
from appliance.deployment import authority, blue_list
from appliance.deployment.ending import certificate
from appliance.deployment.guard import one_in, uncounted
from appliance.deployment.pages import day_and_time, render, times
from appliance.deployment.report import charts, counts, incidents
from appliance.deployment.report.contents import (
    ActRow,
    AlertRow,
    CameraRow,
    CategoryRow,
    DecisionRow,
    FullReport,
    PublicOutage,
    PublicReport,
    Rate,
    Walk,
)
from appliance.deployment.state import DeploymentState, Store, Tally, write_atomic


def _rate(cases: int, of: int, what: str, among: str) -> Rate:
    of = max(of, cases)
    low, high = binomial.interval(cases, of)
    if of == 0:
        return Rate(cases=0, of=0, rate=None, low=low, high=high, sentence=f"No {among}: there is no rate.")
    value = cases / of
    if what == "found":
        text = f"{cases:,} of {of:,} {among} {what}: {value:.0%} (95 % confidence: {low:.0%} to {high:.0%})."
    elif cases == 0:
        text = f"None among {of:,} {among}. With 95 % confidence the rate is at most {one_in(high)}."
    else:
        text = (
            f"{cases:,} among {of:,} {among}: {one_in(value)}. "
            f"With 95 % confidence the rate is between {one_in(low)} and {one_in(high)}."
        )
    return Rate(cases=cases, of=of, rate=value, low=low, high=high, sentence=text)


def _false_alert_rate(false_alerts: int, people_seen: int, uncertain: int) -> Rate:
    """False alerts over people seen; none is told where people could not be counted."""
    why = uncounted(people_seen, uncertain)
    if why:
        return Rate(cases=false_alerts, of=people_seen, rate=None, low=0.0, high=1.0, sentence=why)
    return _rate(false_alerts, people_seen, "false alerts", "people seen")


def _sum_slots(by_camera: Iterable[dict[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for slots in by_camera:
        for slot, count in slots.items():
            sums[slot] = sums.get(slot, 0) + count
    return dict(sorted(sums.items()))


class _Sources:
    """Everything that a report is made from, read once."""

    def __init__(self, config: Config, now: datetime) -> None:
        self.config, self.now = config, now
        self.store = Store(config.alerts.state_dir)
        state = self.store.peek()
        self.state: DeploymentState | None = state if state and state.deployment == config.deployment.id else None
        tally = Tally.load(config.alerts.state_dir)
        self.tally = tally if tally.deployment == config.deployment.id else Tally()
        self.figures = counts.freeze(config)
        self.records = incidents.of_deployment(self.store.audit, config.deployment.id)
        self.incidents = incidents.read(self.records)
        self.certificate = certificate.load(config)
        if self.certificate is not None and self.certificate.deployment != config.deployment.id:
            self.certificate = None
        self.audit_n, self.audit_head = self.store.audit.head()
        walked = blue_list.walks(self.store.audit, config.deployment.id)
        # The sightings themselves may be purged; which walks were found is kept with the figures.
        self.blue = blue_list.assess(walked, [], now, found_before=self.figures.walks_found)


def _public(src: _Sources) -> PublicReport:
    config, state, counts = src.config, src.state, src.figures
    record, lists = config.deployment, src.state.lists if src.state else ()
    starts, ends = authority.window(config, state)
    seen = src.tally.people_seen
    in_use = lists[-1] if lists else None
    names = sorted({*counts.by_category, *(in_use.by_category if in_use else {})})
    made = src.certificate
    blue_rate = _rate(src.blue.found, src.blue.judged, "found", "walks past a camera were") if src.blue.judged else None
    rules = {name: rule.threshold for name, rule in config.matching.categories.items() if rule.threshold is not None}
    return PublicReport(
        made_at=src.now,
        software=f"lfr-appliance {__version__}",
        deployment=record.id,
        location=record.location,
        purpose=record.purpose,
        legal_basis=record.legal_basis,
        authorised_by_rank=record.authorised_by.rank,
        authorised_at=record.authorised_by.at,
        starts=starts,
        ends=ends,
        extensions=len(state.extensions) if state else 0,
        phase=state.phase if state else "waiting",
        ran=src.incidents.ran,
        cameras=len(config.cameras),
        people_seen=seen,
        alerts=counts.alerts,
        true_alerts=counts.total("true"),
        false_alerts=counts.total("false"),
        other_alerts=counts.total("other"),
        undecided_alerts=counts.total("undecided"),
        false_alert_rate=_false_alert_rate(counts.total("false"), seen, src.tally.uncertain),
        false_alert_limit=config.guard.false_alert_rate,
        operator_decisions=counts.decisions.get("operator", {}),
        engagement_decisions=counts.decisions.get("engagement", {}),
        outcomes=counts.decisions.get("outcome", {}),
        watchlist_entries=in_use.entries if in_use else 0,
        watchlist_changes=max(0, len(lists) - 1),
        categories=[
            CategoryRow(
                category=name,
                on_list=in_use.by_category.get(name, 0) if in_use else 0,
                alerts=counts.by_category.get(name, 0),
                **{how: counts.judged.get(how, {}).get(name, 0) for how in ("true", "false", "other", "undecided")},
            )
            for name in names
        ],
        threshold=state.threshold if state else config.matching.threshold,
        calibrated_threshold=state.model_threshold if state else None,
        category_thresholds=rules,
        models=state.models if state else {},
        blue_list=blue_rate,
        outages=[PublicOutage(begun=o.begun, minutes=round(o.seconds(src.now) / 60, 1)) for o in src.incidents.outages],
        incidents=_sentences(src),
        watchlist_destroyed_at=made.ended_at if made else None,
        destruction_complete=made.complete if made else None,
        alerts_kept_until=state.purge_at if state else None,
        alerts_purged_at=state.purged_at if state else None,
        people_by_slot=_sum_slots(camera.slots for camera in src.tally.cameras.values()),
        alerts_by_slot=_sum_slots(counts.slots.values()),
        audit_n=src.audit_n,
        audit_head=src.audit_head,
    )


def _sentences(src: _Sources) -> list[str]:
    """The incidents in words that name no camera."""
    found, told = src.incidents, []
    if found.outages:
        minutes = sum(outage.seconds(src.now) for outage in found.outages) / 60
        told.append(f"A camera gave no pictures {times(len(found.outages))}, {minutes:,.0f} minutes in all.")
    if len(found.ran) > 1:
        told.append(f"Recognition was stopped and started again {times(len(found.ran) - 1)}.")
    restarts = sum(found.restarts.values())
    if restarts:
        told.append(f"Part of the software was restarted by itself {times(restarts)}.")
    told += [
        f"At {at:%H:%M} UTC the false-alert rate was above its limit with 95 % confidence." for at, _ in found.breaches
    ]
    if found.refused_lists:
        told.append(
            f"A new watchlist was refused {times(len(found.refused_lists))}, not being as signed, approved or newest; "
            "the one in use stayed."
        )
    if src.state is not None and src.state.revocation is not None:
        told.append(f"The authority was withdrawn at {src.state.revocation.at:%H:%M} UTC.")
    if found.repaired:
        told.append("The audit record was damaged, by a loss of power or otherwise, and says so itself.")
    return told


def _full(src: _Sources) -> FullReport:
    config, state = src.config, src.state
    record, signs, officer = config.deployment, config.deployment.signs, config.deployment.authorised_by
    verified = src.store.verify()
    alerts = _alerts(src)
    checked = f", checked by {signs.checked_by}" if signs.checked_by else ""
    when = f" at {day_and_time(signs.at)}" if signs.at else ""
    ended = f"{day_and_time(state.ended_at)} by {state.end_by}: {state.end_reason}" if state and state.ended_at else ""
    gone = state.revocation if state else None
    return FullReport(
        public=_public(src),
        authorised_by=f"{officer.name}, {officer.rank}" + (f", {day_and_time(officer.at)}" if officer.at else ""),
        necessity=record.necessity,
        proportionality=record.proportionality,
        signs=("posted" if signs.posted else "not posted") + checked + when,
        extensions=[
            f"until {day_and_time(one.until)}, by {one.by}, {one.rank}, at {day_and_time(one.at)}: {one.reason}"
            for one in (state.extensions if state else ())
        ],
        revocation=f"{day_and_time(gone.at)} by {gone.by}: {gone.reason}" if gone else "",
        ended=ended,
        threshold_set_by=config.matching.threshold_set_by,
        threshold_reason=config.matching.threshold_reason,
        category_rules=[
            f"{name}: {rule.threshold:g}, set by {rule.threshold_set_by or 'nobody named'} ({rule.threshold_reason})"
            for name, rule in config.matching.categories.items()
            if rule.threshold is not None
        ],
        provider=state.provider if state else "",
        cameras=_cameras(src),
        alerts=alerts,
        alerts_purged=max(0, src.figures.alerts - sum(bool(row.captured_at) for row in alerts)),
        seconds=src.figures.seconds,
        lists=list(state.lists) if state else [],
        list_changes=[_row(one) for one in src.records if one.act == "watchlist.change"],
        walks=[
            Walk(entry=one.walk.entry, camera=one.walk.camera, at=one.walk.at, by=one.walk.by, result=one.result)
            for one in src.blue.outcomes
        ],
        outages=[
            f"{outage.camera}: {day_and_time(outage.begun)}, {outage.seconds(src.now) / 60:.1f} minutes"
            + ("" if outage.until else ", still out")
            + (f" ({outage.detail})" if outage.detail else "")
            for outage in src.incidents.outages
        ]
        + [f"{day_and_time(at)}: a watchlist was refused: {why}" for at, why in src.incidents.refused_lists],
        restarts=src.incidents.restarts,
        acts=[_row(one) for one in src.records if one.act.startswith(("deployment.", "threshold.", "guard.", "end"))],
        audit_ok=verified.ok,
        audit_problems=list(verified.problems),
        audit_notices=list(verified.notices),
    )


def _row(record: AuditLine) -> ActRow:
    hidden = {"state_sha256"}
    shown = ", ".join(f"{key} {_short(value)}" for key, value in record.details.items() if key not in hidden and value)
    return ActRow(n=record.n, at=record.at, by=record.by, act=record.act, text=shown)


def _short(value: Any) -> str:
    if isinstance(value, list):
        names = [str(item) for item in value]
        return ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
    return str(value)


def _cameras(src: _Sources) -> list[CameraRow]:
    rows = []
    for camera in src.config.cameras:
        tally = src.tally.cameras.get(camera.name)
        out = [outage.seconds(src.now) for outage in src.incidents.outages if outage.camera == camera.name]
        rows.append(
            CameraRow(
                name=camera.name,
                purpose=camera.purpose,
                people_seen=tally.people_seen if tally else 0,
                faces=tally.faces if tally else 0,
                frames=tally.frames if tally else 0,
                dropped=tally.dropped if tally else 0,
                alerts=src.figures.by_camera.get(camera.name, 0),
                outages=len(out),
                out_minutes=round(sum(out) / 60, 1),
            )
        )
    return rows


def _alerts(src: _Sources) -> list[AlertRow]:
    """From the journal while there is one; what was purged from it, as far as the audit record's decisions tell."""
    rows: dict[str, AlertRow] = {}
    decided: dict[str, DecisionRow] = {}
    wanted = src.config.deployment.id
    if counts.journal_exists(src.config):
        from appliance.alerts.journal import Journal

        with Journal.open_reader(src.config.alerts.state_dir) as journal:
            for event in journal.events():
                header = event.header
                if isinstance(header, Alert) and header.deployment == wanted:
                    rows[header.id] = AlertRow(
                        id=header.id, captured_at=utc_text(header.captured_at), camera=header.camera,
                        entry=header.entry.id, category=header.entry.category, score=round(header.score, 3),
                        threshold=header.threshold,
                    )  # fmt: skip
                elif isinstance(header, Decision) and header.alert_id in rows:
                    _decide(decided, header.id, header.undoes, header.kind, DecisionRow(
                        alert=header.alert_id, kind=header.kind, value=header.value, by=header.by, role=header.role,
                        at=utc_text(header.at), reason=header.reason, seconds_taken=header.seconds_taken,
                    ))  # fmt: skip
    for record in src.records:
        facts = record.details
        if record.act.partition(".")[0] != "decision" or str(facts.get("decision")) in decided or "alert" not in facts:
            continue
        kind = str(facts.get("kind") or record.act.partition(".")[2])
        row = DecisionRow(
            alert=str(facts["alert"]), kind=kind, value=str(facts.get("value", "")), by=record.by,
            role=str(facts.get("role", "")), at=str(facts.get("at", record.at)), reason=str(facts.get("reason", "")),
            seconds_taken=facts.get("seconds_taken"),
        )  # fmt: skip
        _decide(decided, str(facts.get("decision")), facts.get("undoes"), kind, row)
    for row in decided.values():
        rows.setdefault(row.alert, AlertRow(id=row.alert)).decisions.append(row)
    return list(rows.values())


def _decide(decided: dict[str, DecisionRow], name: str, undoes: str | None, kind: str, row: DecisionRow) -> None:
    decided[name] = row
    if kind == "undo" and undoes in decided:
        decided[undoes].undone = True


def build(config: Config, now: datetime | None = None) -> FullReport:
    """Put the full record together; its `public` part is what may be published.

    Raises
    ------
    JournalError
        The journal is there but cannot be read.
    """
    return _full(_Sources(config, now or utc_now()))


def _drawings(report: FullReport, outages: list[incidents.Outage], now: datetime) -> dict[str, Any]:
    public = report.public
    out = [(outage.begun, outage.until or now) for outage in outages]
    order = ("arrested", "confirmed", "not_the_person", "lost", "no_action", "other")
    chosen = sorted(public.outcomes.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
    outcome = {name.replace("_", " "): count for name, count in chosen}
    judged = {
        "true": public.true_alerts, "false": public.false_alerts, "neither": public.other_alerts,
        "not judged": public.undecided_alerts,
    }  # fmt: skip
    low, high = public.false_alert_rate.low, public.false_alert_rate.high
    return {
        "day": charts.day(public.people_by_slot, public.alerts_by_slot, *_shown_span(public), out),
        "rate": charts.rate(public.false_alert_rate.rate, low, high, public.false_alert_limit),
        "judged": charts.bars(judged, "Alerts as judged"),
        "outcomes": charts.bars(outcome, "Outcomes") if outcome else "",
    }


def _shown_span(public: PublicReport) -> tuple[datetime, datetime]:
    """From start to end of what ran; the window where nothing did."""
    if not public.ran:
        return public.starts, public.ends
    last = public.ran[-1][1] or min(public.made_at, public.ends)
    return public.ran[0][0], max(last, public.ran[0][0])


def paths(folder: Path) -> list[Path]:
    """Where the four files of a report lie in a folder, those to publish first."""
    return [folder / f"report-{kind}.{form}" for kind in ("public", "full") for form in ("html", "json")]


def write(
    config: Config, folder: Path | None = None, *, by: str = "appliance", now: datetime | None = None
) -> list[Path]:
    """Write `report-public` and `report-full` as HTML and JSON, and record that; the paths, public first.

    Parameters
    ----------
    folder
        Default: the state folder. Others may read the public ones; the full ones have mode 0600.
    """
    now = now or utc_now()
    src = _Sources(config, now)
    report = _full(src)
    drawings = _drawings(report, src.incidents.outages, now)
    folder = folder or config.alerts.state_dir
    files = {
        "report-public.html": render("report-public.html", report=report.public, **drawings),
        "report-public.json": report.public.model_dump_json(indent=2) + "\n",
        "report-full.html": render("report-full.html", report=report, **drawings),
        "report-full.json": report.model_dump_json(indent=2) + "\n",
    }
    hashes = {}
    for name, text in files.items():
        data = text.encode()
        write_atomic(folder / name, data, 0o644 if "public" in name else 0o600)
        hashes[name] = hashlib.sha256(data).hexdigest()
    src.store.audit.append(Act(act="report", by=by, details={"folder": str(folder), "sha256": hashes}))
    return paths(folder)
