"""What `lfr watchlist build` says of its result: who is on the list, what is doubtful, what comes next."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.cli import build_result
from appliance.enrolment import watchlist_build
from appliance.enrolment.resemblance import Misfit, Pair


def photo(verdict: str, *reasons: str) -> Any:
    return SimpleNamespace(verdict=verdict, reasons=list(reasons), remedies=["Take another."] if reasons else [])


def outcome(name: str, *photos: Any) -> Any:
    named = [(f"{name}-{i}.jpg", one) for i, one in enumerate(photos)]
    taken = sum(one.verdict != "rejected" for one in photos)
    return SimpleNamespace(entry=SimpleNamespace(id=name), photos=named, taken=taken)


def result(*outcomes: Any, **changes: Any) -> Any:
    listed = [i for i, one in enumerate(outcomes) if one.taken]
    everything = [one for made in outcomes for _, one in made.photos]
    header = SimpleNamespace(
        deployment="croydon-1", builder="B. Builder", expires=datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
    )
    made = {
        "path": Path("x.lfrw"),
        "header": header,
        "digest": "ab" * 32,
        "outcomes": list(outcomes),
        "listed": listed,
        "template_photos": [(position, f"{outcomes[position].entry.id}-0.jpg") for position in listed],
        "resemblance": SimpleNamespace(duplicates=[], misfits=[], hubs=[]),
        "same_photo": [],
        "notes": (),
        "examined": len(everything),
        "reused": 0,
        "seconds": 2.0,
        "workers": 2,
        "count": lambda verdict: sum(one.verdict == verdict for one in everything),
    }
    return SimpleNamespace(**{**made, **changes})


def told(capsys: pytest.CaptureFixture[str], made: Any, pages: tuple[Path, ...] = (), approvals: Any = None) -> str:
    build_result.show(made, pages, approvals)
    return capsys.readouterr().out


def test_people_and_photos_are_counted_and_those_left_out_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(
        capsys,
        result(
            outcome("N-1", photo("accepted"), photo("warning", "The face is turned.")),
            outcome("N-[2]", photo("rejected", "There is no face.")),
        ),
    )
    assert "1 of 2 people are on the list; of 3 photos 1 accepted, 1 doubtful, 1 rejected" in shown
    assert "Not on the list, no usable photo: N-[2]" in shown
    assert "There is no face." in shown
    assert "Take another." in shown
    assert "for deployment croydon-1, built by B. Builder, expires 2026-11-22 03:30 UTC, sha256 abababababab…" in shown


def test_only_so_many_are_named_and_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(capsys, result(*(outcome(f"N-{i}", photo("rejected", "No face.")) for i in range(20))))
    assert "N-14 and 5 more" in shown
    assert "… and 5 more rejected photos, see the report" in shown


def test_a_picture_under_two_entries_is_told_once_as_the_very_same(capsys: pytest.CaptureFixture[str]) -> None:
    people = [outcome(f"N-{i}", photo("accepted")) for i in range(3)]
    alike = SimpleNamespace(duplicates=[Pair(0, 1, 1.0), Pair(1, 2, 0.81)], misfits=[Misfit(2, 0.2)], hubs=[])
    shown = told(capsys, result(*people, resemblance=alike, same_photo=[("N-0", "N-1")]))
    assert "Perhaps the same person twice: N-0 and N-1 (the very same picture); N-1 and N-2 (0.81)" in shown
    assert "Unlike the other photos of their entry: N-2: N-2-0.jpg (0.20)" in shown


@pytest.mark.parametrize(
    ("approvals", "said"),
    [
        (None, "Next: two others approve it (lfr watchlist approve FILE --key KEY), then lfr watchlist verify FILE"),
        (0, "Next: lfr watchlist verify FILE -c CONFIG"),
        (1, "Next: another approves it (lfr watchlist approve FILE --key KEY), then lfr watchlist verify FILE -c"),
        (3, "Next: 3 others approve it"),
    ],
)
def test_what_comes_next_depends_on_the_approvals_that_are_asked_for(
    capsys: pytest.CaptureFixture[str], approvals: Any, said: str
) -> None:
    assert said in told(capsys, result(outcome("N-1", photo("accepted"))), approvals=approvals)


def test_a_list_for_trials_has_no_next_step_and_a_report_is_named_with_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = result(outcome("N-1", photo("accepted")))
    made.header.deployment = ""
    shown = told(capsys, made, (Path("x.lfrw.report.html"),))
    assert "for trials only (names no deployment)" in shown
    assert "Next:" not in shown
    assert "x.lfrw.report.html (shows faces; look now, the start destroys it)" in shown


def test_progress_is_followed_and_an_interrupted_build_says_what_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(job: Any, tell: Any) -> Any:
        tell(watchlist_build.Progress(done=3, total=7, rejected=1, reused=0))
        if job.stop:
            raise KeyboardInterrupt
        return "made"

    monkeypatch.setattr(watchlist_build, "build", build)
    job: Any = SimpleNamespace(cache=True, stop=False)
    made: Any = build_result.build_with_progress(job)
    assert made == "made"
    job.stop = True
    with pytest.raises(KeyboardInterrupt):
        build_result.build_with_progress(job)
    assert "no list was written; what was done of 3 photos is kept" in " ".join(capsys.readouterr().err.split())
    job.cache = False
    with pytest.raises(KeyboardInterrupt):
        build_result.build_with_progress(job)
    assert "is kept" not in capsys.readouterr().err
