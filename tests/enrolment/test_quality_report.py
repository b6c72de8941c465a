"""The report tells of every entry what was found, the least findable first, on a page that needs nothing else."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.core.clock import utc_now
from appliance.enrolment import quality_report
from appliance.enrolment.photo import PhotoResult
from appliance.enrolment.resemblance import Misfit, Pair, Resemblance, ResemblesMany
from appliance.enrolment.watchlist_build import BuildResult, EntryOutcome
from appliance.gallery.watchlist.container import Header
from appliance.gallery.watchlist.entry import Entry

JPEG = b"\xff\xd8\xffthumbnail"


def photo(**changes: object) -> PhotoResult:
    known = {"verdict": "accepted", "face_px": 80.4, "brightness": 120.0, "contrast": 40.0, "thumbnail": JPEG}
    return PhotoResult(**(known | changes))  # type: ignore[arg-type]


@pytest.fixture
def result(tmp_path: Path) -> BuildResult:
    """Ann is well found, Bo has no usable photo, Cy and Di look alike and Di resembles many; Cy's second is odd."""
    now = utc_now()
    blurred = photo(verdict="rejected", reasons=["too blurred: x"], remedies=["Use one in focus."], face_px=0)
    outcomes = [
        EntryOutcome(Entry(id="Ann", label="<b>Ann</b>"), [("a.jpg", photo())], "very good", "Two good photos."),
        EntryOutcome(Entry(id="Bo"), [("b.jpg", blurred)], "no", "None of the photos could be taken."),
        EntryOutcome(Entry(id="Cy"), [("c1.jpg", photo()), ("c2.jpg", photo(brightness=40.0))], "good", "One good."),
        EntryOutcome(Entry(id="Di"), [("d.jpg", photo(verdict="warning", reasons=["turned"]))], "good", "Doubtful."),
    ]
    return BuildResult(
        path=tmp_path / "list.lfrw",
        header=Header(
            sequence=7, created=now, expires=now + timedelta(hours=1), builder="B. Birch", builder_key="A" * 43 + "=",
            entries=3, templates=4, dimension=16, embedder="made@up", recipient="age1x", plaintext_bytes=1,
            ciphertext_bytes=1, ciphertext_sha256="0" * 64,
        ),
        digest="d" * 64,
        outcomes=outcomes,
        listed=[0, 2, 3],
        template_photos=[(0, "a.jpg"), (2, "c1.jpg"), (2, "c2.jpg"), (3, "d.jpg")],
        resemblance=Resemblance(
            duplicates=[Pair(1, 2, 0.61234, 1, 3)],
            misfits=[Misfit(2, 0.12)],
            hubs=[ResemblesMany(2, 6.5, 40, 3.2)],
            stranger_limit=0.21,
            duplicates_total=1,
        ),
        same_photo=[("Cy", "Di")],
        notes=("3 entries name no legal_basis.",),
        match_threshold=0.55,
        examined=5,
        reused=0,
        seconds=1.25,
        workers=1,
    )  # fmt: skip


def test_the_document_names_entries_and_photos_and_holds_no_picture_and_no_vector(result: BuildResult) -> None:
    document = quality_report.as_json(result)
    assert document["photos"] == {"accepted": 3, "warning": 1, "rejected": 1}
    assert [(entry["id"], entry["listed"]) for entry in document["entries"]] == [
        ("Ann", True), ("Bo", False), ("Cy", True), ("Di", True),
    ]  # fmt: skip
    assert document["duplicates"] == [
        {"entries": ["Cy", "Di"], "photos": ["c1.jpg", "d.jpg"], "similarity": 0.6123, "same_photo": True}
    ]
    assert document["misfits"] == [{"entry": "Cy", "photo": "c2.jpg", "similarity": 0.12}]
    assert document["hubs"] == [{"entry": "Di", "deviations": 6.5, "neighbours": 40, "expected": 3.2}]
    assert not {"template", "portrait", "thumbnail"} & document["entries"][0]["photos"][0].keys()


def test_the_page_shows_the_least_findable_first_and_troubled_ones_before_their_equals(result: BuildResult) -> None:
    page = quality_report.as_html(result)
    everybody = page.index("Everybody, the least findable first")
    places = [page.index(f"<h3>{name}</h3>", everybody) for name in ("Bo", "Cy", "Di", "Ann")]
    assert places == sorted(places)


def test_the_page_needs_nothing_else_and_a_label_puts_no_markup_into_it(result: BuildResult) -> None:
    page = quality_report.as_html(result)
    assert not re.search(r"https?://|<script", page)
    assert "<b>Ann</b>" not in page
    assert "&lt;b&gt;Ann" in page
    for said in ("not on the list", "too blurred: x", "Use one in focus.", "3 entries name no legal_basis."):
        assert said in page


def test_pictures_beyond_what_a_browser_copes_with_are_left_out_and_that_is_said(
    result: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = base64.b64encode(JPEG).decode()
    whole = quality_report.as_html(result)
    assert "are shown as pictures" not in whole
    monkeypatch.setattr(quality_report, "MAX_THUMBNAILS", 1)
    few = quality_report.as_html(result)
    assert 0 < few.count(picture) < whole.count(picture)
    assert "Only the first 1 photos are shown as pictures" in few


def test_both_files_are_for_their_owner_only(result: BuildResult) -> None:
    html, plain = quality_report.write(result)
    assert (html.name, plain.name) == ("list.lfrw.report.html", "list.lfrw.report.json")
    assert json.loads(plain.read_text()) == json.loads(json.dumps(quality_report.as_json(result)))
    assert {path.stat().st_mode & 0o777 for path in (html, plain)} == {0o600}
