from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from appliance.core.clock import utc_now
from appliance.core.errors import WatchlistError
from appliance.enrolment import quality_report, watchlist_build, workers
from appliance.enrolment.manifest import ManifestError
from appliance.gallery.watchlist import sealed
from appliance.gallery.watchlist.companions import companions
from appliance.gallery.watchlist.gallery import open_gallery
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.security import keys

JPEG_BEGINS = b"\xff\xd8\xff\xe0\x00\x10JFIF"
"""Long enough that no encrypted file holds it by chance."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Path:
    """Two people, one of them under two ids, one whose only photo is useless."""
    folder = tmp_path_factory.mktemp("photos")
    astronaut = cv2.imread(str(models_dir / "astronaut.png"))
    hopper = cv2.imread(str(models_dir / "hopper.jpg"))
    assert astronaut is not None
    assert hopper is not None
    rng = np.random.default_rng(0)
    for name, picture in {
        "a1.png": astronaut,
        "a2.jpg": cv2.convertScaleAbs(astronaut[:400, 50:400], alpha=0.8, beta=20),
        "h1.jpg": hopper,
        "h2.png": cv2.flip(hopper, 1),
        "grey.png": np.full((200, 200, 3), 128, np.uint8),
        "noise.png": rng.integers(0, 255, (64, 64, 3), dtype=np.uint8),
    }.items():
        cv2.imwrite(str(folder / name), picture)
    (folder / "broken.jpg").write_bytes((folder / "h1.jpg").read_bytes()[:3000])
    (folder / "manifest.csv").write_text(
        "entry_id,image,category,label,response,legal_basis\n"
        "N-1,a1.png,violence,Astronaut,red,PACE\nN-1,a2.jpg,,,,\nN-1,broken.jpg,,,,\n"
        "N-2,h1.jpg,missing,Hopper,green,PACE\n"
        "N-3,h2.png,missing,Hopper again,green,PACE\n"
        "N-4,grey.png,missing,Nobody,green,PACE\nN-4,noise.png,,,,\n"
    )
    return folder


@pytest.fixture
def job(source: Path, tmp_path: Path, models_dir: Path) -> watchlist_build.Job:
    keys.new_appliance_keys(tmp_path / "keys", "B. Builder")
    return watchlist_build.Job(
        source=source,
        output=tmp_path / "list.lfrw",
        recipient=keys.load_recipient(tmp_path / "keys/seal.pub"),
        signer=keys.load_signer(tmp_path / "keys/builder.key"),
        expires=utc_now() + timedelta(hours=1),
        deployment="croydon",
        models_dir=models_dir,
        workers=1,
    )


def opened(job: watchlist_build.Job) -> sealed.Watchlist:
    folder = job.output.parent / "keys"
    policy = WatchlistPolicy(folder / "builders", folder / "approvers", 0, "croydon", utc_now())
    return sealed.open_sealed(job.output, folder / "seal.key", policy)


def test_photos_become_a_list_that_finds_its_people_and_tells_the_rest(job: watchlist_build.Job, examiner: Any) -> None:
    seen: list[watchlist_build.Progress] = []
    result = watchlist_build.build(job, seen.append)
    watchlist = opened(job)
    assert [entry.id for entry in watchlist.entries] == ["N-1", "N-2", "N-3"]
    assert (seen[-1].done, seen[-1].total, seen[-1].rejected) == (7, 7, 3)
    assert result.digest == watchlist.digest

    found = open_gallery(watchlist).search(watchlist.templates[1:2], 2)
    assert found.row(0)[0][:2] == ("N-1", 2)

    by_id = {outcome.entry.id: outcome for outcome in result.outcomes}
    assert by_id["N-4"].findable == "no"
    assert by_id["N-1"].findable in ("good", "very good")
    reasons = {name: photo.reasons for outcome in result.outcomes for name, photo in outcome.photos}
    assert re.search("truncated|damaged", reasons["broken.jpg"][0])
    assert "no face" in reasons["grey.png"][0]
    (pair,) = result.resemblance.duplicates
    assert {result.outcomes[result.listed[place]].entry.id for place in (pair.first, pair.second)} == {"N-2", "N-3"}


def test_the_report_says_it_all_and_needs_nothing_else(job: watchlist_build.Job) -> None:
    result = watchlist_build.build(job)
    html, plain = quality_report.write(result)
    document = json.loads(plain.read_text())
    assert document["photos"] == {"accepted": 4, "warning": 0, "rejected": 3}
    assert {"face_px", "sharpness", "yaw_deg", "brightness", "clipped"} <= set(document["entries"][0]["photos"][0])
    assert document["duplicates"][0]["entries"] == ["N-2", "N-3"]
    page = html.read_text()
    assert "not on the list" in page
    assert not re.search(r"https?://|<script", page)
    assert html.stat().st_mode & 0o777 == 0o600
    assert {html, plain} < set(companions(job.output))


def test_a_label_cannot_put_markup_into_the_report(job: watchlist_build.Job, source: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.jpg").write_bytes((source / "h1.jpg").read_bytes())
    (tmp_path / "src/manifest.csv").write_text("entry_id,image,label\nN-1,a.jpg,<script>alert(1)</script>\n")
    result = watchlist_build.build(replace(job, source=tmp_path / "src"))
    assert "<script" not in quality_report.as_html(result)


def test_a_second_build_examines_only_what_is_new(job: watchlist_build.Job, monkeypatch: pytest.MonkeyPatch) -> None:
    first = watchlist_build.build(job)
    assert (first.examined, first.reused) == (7, 0)
    templates = opened(job).templates.copy()
    monkeypatch.setattr(workers, "open_examiner", None)
    second = watchlist_build.build(job)
    assert (second.examined, second.reused) == (0, 7)
    np.testing.assert_array_equal(opened(job).templates, templates)
    assert second.header.sequence > first.header.sequence


def test_an_interrupted_build_goes_on_where_it_was(job: watchlist_build.Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(now: watchlist_build.Progress) -> None:
        if now.done >= 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "monotonic", iter(range(1, 10_000)).__next__)
    with pytest.raises(KeyboardInterrupt):
        watchlist_build.build(job, stop)
    assert not job.output.exists()
    resumed = watchlist_build.build(job)
    assert resumed.reused >= 3
    assert resumed.examined == 7 - resumed.reused


def test_worker_processes_find_the_same_as_one_process(
    job: watchlist_build.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    watchlist_build.build(replace(job, cache=False))
    alone = opened(job)
    monkeypatch.setattr(workers, "POOL_FROM", 2)
    watchlist_build.build(replace(job, cache=False, workers=2))
    together = opened(job)
    assert together.entries == alone.entries
    np.testing.assert_allclose(together.templates, alone.templates, atol=1e-5)
    assert not job.output.with_name("list.lfrw.cache").exists()


def test_nothing_is_sealed_where_the_source_has_problems_or_nobody_is_usable(
    job: watchlist_build.Job, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(ManifestError, match="at most 2 are allowed"):
        watchlist_build.build(replace(job, max_entries=2))
    person = tmp_path / "people" / "Nobody"
    person.mkdir(parents=True)
    (person / "1.png").write_bytes((source / "grey.png").read_bytes())
    with pytest.raises(WatchlistError, match="No photo could be taken: no face was found"):
        watchlist_build.build(replace(job, source=tmp_path / "people"))
    with pytest.raises(WatchlistError, match="expired already"):
        watchlist_build.build(replace(job, expires=utc_now()))
    assert not job.output.exists()


def test_one_picture_under_two_entries_is_examined_once_and_told(
    job: watchlist_build.Job, source: Path, tmp_path: Path
) -> None:
    for person in ("Ann", "Bo"):
        (tmp_path / "people" / person).mkdir(parents=True)
        (tmp_path / "people" / person / "1.jpg").write_bytes((source / "h1.jpg").read_bytes())
    result = watchlist_build.build(replace(job, source=tmp_path / "people"))
    assert result.examined == 1
    assert result.same_photo == [("Ann", "Bo")]


def test_no_photo_and_no_template_lies_in_clear_beside_the_list_but_in_the_report(
    job: watchlist_build.Job, source: Path
) -> None:
    result = watchlist_build.build(job)
    templates = opened(job).templates
    for path in companions(job.output):
        content = path.read_bytes()
        assert templates[0].tobytes()[:32] not in content
        assert JPEG_BEGINS not in content
    assert len(result.template_photos) == len(templates)
