from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from appliance import cli
from appliance.audit.act import APPLIANCE
from appliance.audit.acts import WatchlistOpen
from appliance.cli import commands, keys, watchlist
from appliance.config.live import parse
from appliance.core.clock import utc_now
from appliance.deployment.list_facts import UsedList
from appliance.deployment.store import Store
from appliance.lab.simulation import scenario


@pytest.fixture(scope="module")
def models_dir() -> Path:
    from appliance.vision import models

    manifest = models.load_manifest()
    wrong = [problem for problem in models.verify(manifest).values() if problem]
    if wrong:
        pytest.skip(f"run lfr models install: {wrong[0]}")
    return manifest.dir


class Lfr:
    """Runs `lfr` in this process and keeps what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        app = typer.Typer(pretty_exceptions_enable=False)
        app.add_typer(keys.app, name="keys")
        app.add_typer(watchlist.app, name="watchlist")
        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(commands, "register", lambda _: None)  # the other rooms' commands take seconds to import

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr("sys.argv", ["lfr", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = self._capsys.readouterr()
        return int(end.value.code or 0), out, err


@pytest.fixture
def lfr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lfr:
    return Lfr(monkeypatch, capsys)


def test_keys_are_made_once(lfr: Lfr, tmp_path: Path) -> None:
    code, out, _ = lfr("keys", "new", tmp_path / "k")
    assert code == 0
    assert "seal.key" in out
    code, _, err = lfr("keys", "new", tmp_path / "k")
    assert code == 1
    assert "never overwritten" in err


def test_from_photos_to_an_approved_list(lfr: Lfr, tmp_path: Path, models_dir: Path) -> None:
    ours, people, file = tmp_path / "keys", tmp_path / "people", tmp_path / "list.lfrw"
    lfr("keys", "new", ours, "--name", "B. Builder")
    for name in ("A. Smith", "C. Jones"):
        assert lfr("keys", "signer", people, "--name", name, "--into", ours / "approvers")[0] == 0
    source = tmp_path / "src"
    for person, picture in (("Astronaut", "astronaut.png"), ("Hopper", "hopper.jpg")):
        (source / person).mkdir(parents=True)
        (source / person / picture).write_bytes((models_dir / picture).read_bytes())

    code, out, err = lfr(
        "watchlist", "build", source, "-o", file, "--to", ours / "seal.pub", "--deployment", "croydon", "--workers", 1
    )
    assert code == 0, err
    assert "2 of 2 people are on the list" in out
    assert "Quality report" in out

    code, out, _ = lfr("watchlist", "inspect", file, "--json")
    clear = json.loads(out)
    assert (clear["deployment"], clear["builder"], clear["entries"]) == ("croydon", "B. Builder", 2)
    assert "Hopper" not in out
    code, out, _ = lfr("watchlist", "inspect", file, "--key", ours / "seal.key", "--json")
    assert [person["id"] for person in json.loads(out)["people"]] == ["Astronaut", "Hopper"]

    folders = ("--builders", ours / "builders", "--approvers", ours / "approvers")
    code, _, err = lfr("watchlist", "verify", file, *folders)
    assert code == 1
    assert "0 of the 2 approvals" in err
    assert lfr("watchlist", "approve", file, "--key", people / "a-smith.key")[0] == 0
    code, _, err = lfr("watchlist", "approve", file, "--key", people / "a-smith.key")
    assert "approved this list already" in err
    code, _, err = lfr("watchlist", "approve", file, "--key", people / "c-jones.key", "--name", "A. Smith")
    assert "is the key of C. Jones" in err
    assert lfr("watchlist", "approve", file, "--key", people / "c-jones.key")[0] == 0
    code, out, _ = lfr("watchlist", "verify", file, *folders, "--json")
    assert code == 0
    assert json.loads(out)["approved_by"] == ["A. Smith", "C. Jones"]


def test_verify_knows_the_newest_list_that_the_appliance_has_used(tmp_path: Path) -> None:
    config = parse(scenario.document(tmp_path, [{"name": "north", "source": "test:"}]), tmp_path / "lfr.yaml")
    opened: Any = None  # with a configuration nothing of the list itself is asked
    assert watchlist._policy(opened, config, None, None, None, None).min_sequence == 0
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    used = UsedList(digest="d", sequence=7, opened_at=utc_now(), entries=1)
    store.update(lambda state: state.with_list(used), WatchlistOpen(digest="d", entries=1), APPLIANCE)
    assert watchlist._policy(opened, config, None, None, None, None).min_sequence == 7


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "keys/seal.key"], "is not a public sealing key"),
        (["--to", "gone.pub"], "does not exist"),
        (["--to", "keys/seal.pub", "--sign", "gone.key"], "does not exist"),
        (["--to", "keys/seal.pub", "--response", "purple"], "is unknown"),
        (["--to", "keys/seal.pub", "--expires", "tomorrow"], "is no moment"),
        (["--to", "keys/seal.pub", "--expires", "2030-01-01T10:00"], "names no time zone"),
        (["--to", "keys/seal.pub", "-o", "photo.jpg"], "is something else than a watchlist"),
        (["--to", "keys/seal.pub", "-o", "no/folder/x.lfrw"], "cannot be written"),
    ],
)
def test_wrong_orders_are_refused_in_one_sentence(
    lfr: Lfr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lfr("keys", "new", "keys")
    (tmp_path / "src").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff precious")
    output = [] if "-o" in arguments else ["-o", "x.lfrw"]
    code, _, err = lfr("watchlist", "build", "src", *output, *arguments)
    assert code == 1
    assert sentence in err
    assert "Traceback" not in err
    assert (tmp_path / "photo.jpg").read_bytes().endswith(b"precious")


def test_a_list_is_not_built_without_a_builders_key(lfr: Lfr, tmp_path: Path) -> None:
    lfr("keys", "new", tmp_path)
    (tmp_path / "builder.key").unlink()
    (tmp_path / "src").mkdir()
    code, _, err = lfr("watchlist", "build", tmp_path / "src", "-o", tmp_path / "x", "--to", tmp_path / "seal.pub")
    assert code == 1
    assert "--sign KEY" in err


def test_problems_of_a_manifest_are_told_one_a_line(lfr: Lfr, tmp_path: Path, models_dir: Path) -> None:
    lfr("keys", "new", tmp_path / "k")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/manifest.csv").write_text("entry_id,image\nN-1,a.jpg\nN-2,b.jpg\n")
    code, _, err = lfr(
        "watchlist", "build", tmp_path / "src", "-o", tmp_path / "x.lfrw", "--to", tmp_path / "k/seal.pub"
    )
    assert code == 1
    assert "2 problems" in err
    assert err.count("is not there. Add it, or remove the row.") == 2


def test_verifying_needs_to_know_whose_lists_count(lfr: Lfr, tmp_path: Path) -> None:
    (tmp_path / "x.lfrw").write_bytes(b"LFRWLIST")
    code, _, err = lfr("watchlist", "verify", tmp_path / "x.lfrw")
    assert code == 1
    assert "truncated" in err
