"""Only a list that was verified reaches the cameras, and a file that is being written is not judged half-written."""

import hashlib
import os
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.core.errors import WatchlistError
from appliance.supervision import list_watch as module
from appliance.supervision.deployment_port import DeploymentPort, ListFacts
from appliance.supervision.list_watch import ListWatch


class Deployment:
    """Accepts text files `SEQUENCE id id …`; keeps what it was told."""

    def __init__(self) -> None:
        self.opened: list[tuple[frozenset[str], frozenset[str] | None]] = []
        self.recorded: list[str] = []

    def open_list(self, path: Path) -> ListFacts:
        text = path.read_bytes()
        sequence, *ids = text.decode().split()
        if not sequence.isdigit():
            raise WatchlistError("It was tampered with.")
        return ListFacts(hashlib.sha256(text).hexdigest(), int(sequence), frozenset(ids), {"theft": len(ids)})

    def list_opened(self, facts: ListFacts, before: ListFacts | None) -> None:
        self.opened.append((facts.ids, before.ids if before else None))

    def record(self, act: str, **details: Any) -> None:
        self.recorded.append(act)


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


@pytest.fixture
def watch(tmp_path: Path, deployment: Deployment) -> ListWatch:
    runtime = tmp_path / "run"
    runtime.mkdir()
    (tmp_path / "list.lfrw").write_text("1 A B")
    made = ListWatch(tmp_path / "list.lfrw", runtime, cast("DeploymentPort", deployment))
    made.open()
    return made


def replace(watch: ListWatch, text: str) -> None:
    """As an operator's copy does: another file in its place."""
    new = watch.source.with_suffix(".new")
    new.write_text(text)
    new.replace(watch.source)


def test_the_first_list_is_copied_for_the_cameras_alone(watch: ListWatch, deployment: Deployment) -> None:
    assert watch.facts
    assert len(watch.facts) == 2
    assert watch.accepted.read_text() == "1 A B"
    assert watch.accepted.stat().st_mode & 0o077 == 0
    assert deployment.opened == [(frozenset("AB"), None)]


def test_a_changed_file_is_taken_up_once_it_has_settled(watch: ListWatch, deployment: Deployment) -> None:
    assert not watch.poll()
    replace(watch, "2 A C")
    assert not watch.poll(), "it may still be being written"
    assert watch.poll()
    assert watch.accepted.read_text() == "2 A C"
    assert deployment.opened[-1] == (frozenset("AC"), frozenset("AB"))
    assert not watch.poll()


def test_a_file_that_still_grows_is_waited_for(watch: ListWatch) -> None:
    for text in ("2", "2 A", "2 A C"):
        replace(watch, text)
        assert not watch.poll()
    assert watch.poll()


def test_a_bad_list_is_refused_once_and_the_one_before_stays(watch: ListWatch, deployment: Deployment) -> None:
    replace(watch, "bad")
    for _ in range(4):
        assert not watch.poll()
    assert watch.refused == "It was tampered with."
    assert watch.accepted.read_text() == "1 A B"
    assert deployment.recorded == ["watchlist.refused"]
    assert not list(watch.accepted.parent.glob("incoming*"))
    replace(watch, "1 A B")
    watch.poll()
    assert not watch.poll(), "the list in use, put back, is no change"
    assert watch.refused == ""


def test_a_file_that_is_gone_changes_nothing(watch: ListWatch) -> None:
    watch.source.unlink()
    assert not any(watch.poll() for _ in range(3))
    assert watch.facts
    assert watch.accepted.exists()


def test_a_pipe_is_not_waited_for(watch: ListWatch) -> None:
    watch.source.unlink()
    os.mkfifo(watch.source)
    watch.poll()
    assert not watch.poll()
    assert "is not a file" in watch.refused


def test_no_file_at_the_start_is_said_with_what_to_do(tmp_path: Path, deployment: Deployment) -> None:
    made = ListWatch(tmp_path / "none", tmp_path, cast("DeploymentPort", deployment))
    with pytest.raises(WatchlistError, match=r"does not exist\. Build it with lfr watchlist build"):
        made.open()


def test_an_endless_file_is_not_copied_to_its_end(watch: ListWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SEALED_BYTES", 100)
    replace(watch, "2 " + "A " * 100)
    watch.poll()
    watch.poll()
    assert "larger than 100 bytes" in watch.refused


def test_nothing_is_left_when_no_camera_needs_it(watch: ListWatch) -> None:
    watch.forget()
    watch.forget()
    assert not watch.accepted.exists()
