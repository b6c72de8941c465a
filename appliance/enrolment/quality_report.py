"""The quality report of a build: what was taken, what not and why, who is findable, who may be mistaken for whom.

Both files are readable by their owner only and are companions of the list: the HTML holds thumbnails of the photos.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from appliance.core.clock import utc_text
from appliance.core.files import write_private
from appliance.enrolment.watchlist_build import BuildResult, EntryOutcome

MAX_THUMBNAILS = 6000
"""Pictures in the HTML; those of entries with something to say come first. A browser copes with no more."""

FINDABLE = ("no", "poor", "fair", "good", "very good")


def as_json(result: BuildResult) -> dict[str, Any]:
    """Everything that was found, as plain values; no picture and no vector."""
    ids = [result.outcomes[position].entry.id for position in result.listed]
    found = result.resemblance
    same = {frozenset(group) for group in result.same_photo}
    return {
        "v": 1,
        "file": result.path.name,
        "sha256": result.digest,
        "header": result.header.model_dump(mode="json"),
        "photos": {verdict: result.count(verdict) for verdict in ("accepted", "warning", "rejected")},
        "examined": result.examined,
        "reused": result.reused,
        "seconds": round(result.seconds, 3),
        "workers": result.workers,
        "notes": list(result.notes),
        "entries": [
            {
                "id": outcome.entry.id,
                "category": outcome.entry.category,
                "response": outcome.entry.response,
                "listed": outcome.taken > 0,
                "findable": outcome.findable,
                "why": outcome.why,
                "photos": [{"name": name, **photo.measures()} for name, photo in outcome.photos],
            }
            for outcome in result.outcomes
        ],
        "match_threshold": result.match_threshold,
        "stranger_limit": round(found.stranger_limit, 4),
        "misfits": [
            {
                "entry": result.outcomes[result.template_photos[misfit.template][0]].entry.id,
                "photo": result.template_photos[misfit.template][1],
                "similarity": round(misfit.similarity, 4),
            }
            for misfit in found.misfits
        ],
        "duplicates": [
            {
                "entries": [ids[pair.first], ids[pair.second]],
                "photos": [
                    result.template_photos[pair.first_template][1],
                    result.template_photos[pair.second_template][1],
                ],
                "similarity": round(pair.similarity, 4),
                "same_photo": frozenset((ids[pair.first], ids[pair.second])) in same,
            }
            for pair in found.duplicates
        ],
        "duplicates_total": found.duplicates_total,
        "same_photo": [list(group) for group in result.same_photo],
        "hubs": [
            {
                "entry": ids[hub.entry],
                "deviations": round(hub.deviations, 2),
                "neighbours": hub.neighbours,
                "expected": round(hub.expected, 2),
            }
            for hub in found.hubs
        ],
    }


def write(result: BuildResult) -> tuple[Path, Path]:
    """Write `FILE.report.html` and `FILE.report.json` (0600).

    Returns
    -------
    Their paths.

    Raises
    ------
    FileError
        One of them cannot be written.
    """
    html, plain = (result.path.with_name(result.path.name + suffix) for suffix in (".report.html", ".report.json"))
    write_private(plain, json.dumps(as_json(result), ensure_ascii=False, indent=1).encode())
    write_private(html, as_html(result).encode())
    return html, plain


def as_html(result: BuildResult) -> str:
    """One page that needs nothing else: no script, no address."""
    environment = Environment(
        loader=PackageLoader("appliance.enrolment"), autoescape=select_autoescape(), undefined=StrictUndefined
    )
    shown = _ordered(result)
    budget = MAX_THUMBNAILS
    rows = []
    for outcome in shown:
        budget -= len(outcome.photos)
        rows.append(_row(outcome, with_pictures=budget >= 0))
    by_id = {row["id"]: row for row in rows}
    pictures = {photo["name"]: photo["thumbnail"] for row in rows for photo in row["photos"]}
    document = as_json(result)
    return environment.get_template("report.html").render(
        report=document,
        built=utc_text(result.header.created),
        expires=utc_text(result.header.expires),
        entries=rows,
        by_id=by_id,
        pictures=pictures,
        misfits=_by_entry(document["misfits"]),
        findable={word: sum(outcome.findable == word for outcome in shown) for word in reversed(FINDABLE)},
        left_out=budget < 0,
        thumbnails=MAX_THUMBNAILS,
    )


def _by_entry(misfits: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for misfit in misfits:
        grouped.setdefault(misfit["entry"], []).append(misfit)
    return grouped


def _ordered(result: BuildResult) -> list[EntryOutcome]:
    """Worst first; with the same word, in the order of the manifest."""
    troubled = {result.template_photos[misfit.template][0] for misfit in result.resemblance.misfits}
    places = range(len(result.outcomes))
    order = sorted(
        places,
        key=lambda place: (
            FINDABLE.index(result.outcomes[place].findable),
            place not in troubled,
            all(photo.verdict == "accepted" for _, photo in result.outcomes[place].photos),
        ),
    )
    return [result.outcomes[place] for place in order]


def _row(outcome: EntryOutcome, *, with_pictures: bool) -> dict[str, Any]:
    entry = outcome.entry
    return {
        "id": entry.id,
        "label": entry.label,
        "category": entry.category,
        "response": entry.response,
        "under_18": entry.under_18,
        "findable": outcome.findable,
        "why": outcome.why,
        "photos": [
            {
                "name": name,
                "verdict": photo.verdict,
                "reasons": photo.reasons,
                "remedies": photo.remedies,
                "face_px": round(photo.face_px),
                "sharpness": round(photo.sharpness, 1),
                "yaw": round(photo.yaw_deg),
                "pitch": round(photo.pitch_deg),
                "exposure": _exposure(photo.brightness, photo.clipped, photo.contrast) if photo.face_px else "",
                "size": f"{photo.width} × {photo.height}" if photo.width else "",
                "thumbnail": base64.b64encode(photo.thumbnail).decode() if with_pictures and photo.thumbnail else "",
            }
            for name, photo in outcome.photos
        ],
    }


def _exposure(brightness: float, clipped: float, contrast: float) -> str:
    word = "dark" if brightness < 60 else "bright" if brightness > 195 else "even"
    if contrast < 22:
        word += ", flat"
    return f"{word}, {100 * clipped:.0f} % lost" if clipped >= 0.01 else word
