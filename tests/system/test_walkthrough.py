"""The documented walk-through, line by line: from keys to the certificate; and what is on the disk before and after."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from appliance_run import ENVIRONMENT
from own_ports import own_port

from appliance.config.live import load
from appliance.deployment.ending.search import scan
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.gallery.watchlist.sealed import open_sealed
from appliance.lab.simulation import scenario
from appliance.vision.install import ensure_picture

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deployment.md"


def steps() -> list[str]:
    """The lines of the walk-through's shell block, without comments."""
    block = re.search(r"## The steps.*?```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block, f"{PAGE} has no walk-through"
    return [line.split("  #")[0].strip() for line in block[1].splitlines()]


@pytest.fixture
def shell(folder: Path) -> Iterator[Any]:
    """Runs one line in the folder, with `lfr` on the path; what it printed."""
    (folder / "bin").mkdir()
    (folder / "tmp").mkdir()
    lfr = folder / "bin" / "lfr"
    lfr.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m appliance "$@"\n')
    lfr.chmod(0o755)
    root = str(ROOT)
    environment = {
        **ENVIRONMENT,
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{lfr.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
    }
    background = []

    def run(line: str) -> str:
        if line.endswith("&"):
            with (folder / "run.log").open("w") as log:
                background.append(
                    subprocess.Popen(
                        line.removesuffix("&").split(), cwd=folder, env=environment, stdout=log, stderr=log
                    )
                )
            return ""
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}\n{(folder / 'run.log').read_text()[-2000:]}"
        return done.stdout

    (folder / "run.log").touch()
    yield run
    for process in background:
        process.kill()
        process.wait()


def prepare(folder: Path) -> None:
    """What the page presumes: photos with their manifest, a configuration, and a password."""
    photos = folder / "photos"
    photos.mkdir()
    shutil.copy(ensure_picture("hopper"), photos / "wanted.jpg")
    shutil.copy(ensure_picture("astronaut"), photos / "officer.png")
    (photos / "manifest.csv").write_text(
        "entry_id,image,category,response,label\nW-1,wanted.jpg,fraud,amber,Wanted for fraud\n"
        "BLUE-1,officer.png,seeded,blue,Seeded officer\n"
    )
    camera = {
        "name": "north",
        "source": "street:?loop=1&order=hopper,astronaut&gap=2&fps=8&extras=0&size=960x540",
        "preview_fps": 1,
    }
    document = scenario.document(
        folder,
        [camera],
        metrics={"listen": f"127.0.0.1:{own_port()}"},
        console={"listen": f"127.0.0.1:{own_port()}"},
        matching={"cooldown_s": 600},
    )
    (folder / "lfr.yaml").write_text(yaml.safe_dump(document))
    (folder / "password.txt").write_text("a long enough pass phrase\n")


def needles(folder: Path) -> dict[str, bytes]:
    """Bytes that must not be found: of the photos as enrolled, the templates, and the key."""
    config = load(folder / "lfr.yaml")
    policy = WatchlistPolicy.of(config.watchlist, config.deployment.id, embedder_ref=None)
    opened = open_sealed(config.watchlist.file, config.watchlist.key, replace(policy, approvals=2))
    found = {}
    for i, portrait in enumerate(opened.portraits):
        middle = len(portrait) // 2
        found[f"portrait {i}"] = bytes(portrait[middle : middle + 64])
        found[f"template {i}"] = opened.templates[i, :16].tobytes()
    for photo in sorted((folder / "photos").glob("*.*g")):
        content = photo.read_bytes()
        found[f"photo {photo.name}"] = content[len(content) // 2 :][:64]
    key = next(line for line in config.watchlist.key.read_text().splitlines() if line.startswith("AGE-SECRET-KEY"))
    found["key"] = key.encode()
    return found


def places(folder: Path) -> list[Path]:
    """The appliance's files, its temporary ones included: everything in the folder but what the operator brought."""
    return [path for path in folder.iterdir() if path.name not in ("photos", "bin", "password.txt")]


@pytest.mark.timeout(200)
def test_the_whole_life_from_keys_to_certificate_as_documented(folder: Path, shell: Any) -> None:
    prepare(folder)
    secrets: dict[str, bytes] = {}
    shown: list[str] = []  # the quality report's thumbnails
    for line in steps():
        if line.startswith("lfr alerts"):
            _until_both_were_found(shell, folder)
        if line.startswith("lfr end"):
            secrets = needles(folder)
            secrets |= {
                f"thumbnail {i} in base64": text[len(text) // 2 :][:64].encode() for i, text in enumerate(shown)
            }
            secrets |= {
                f"thumbnail {i}": base64.b64decode(text[: len(text) // 4 * 4])[1000:1064]
                for i, text in enumerate(shown)
            }
            before = scan(places(folder), secrets)
            assert {(finding.path.name, finding.needle) for finding in before.findings} == {("seal.key", "key")}
        shell(line)
        if line.startswith("lfr watchlist build"):
            page = (folder / "list.lfrw.report.html").read_text()
            shown = re.findall(r"base64,([A-Za-z0-9+/]{400,})", page)
            assert len(shown) == 2
        if line.endswith("&"):
            _until_it_is_ready(folder)

    after = scan(places(folder), secrets)
    assert after.files > 5
    assert after.findings == []
    assert not (folder / "list.lfrw").exists()
    assert not (folder / "keys" / "seal.key").exists()

    state = folder / "state"
    certificate = json.loads((state / "certificate.json").read_text())
    assert "seal.key" in json.dumps(certificate)
    public = json.loads(shell("lfr report --json -c lfr.yaml"))
    text = json.dumps(public)
    assert "Wanted for fraud" not in text
    assert "W-1" not in text
    assert "north" not in text
    # ending again is harmless, and the record still holds
    assert "already" in shell("lfr end --by smith -c lfr.yaml").lower()
    shell("lfr audit verify -c lfr.yaml")
    acts = [json.loads(line)["act"] for line in (state / "audit.jsonl").read_text().splitlines()]
    for act in ("deployment.start", "watchlist.open", "blue.walk", "decision.operator", "decision.outcome", "end"):
        assert any(one.startswith(act) for one in acts), f"{act} is not in the record: {sorted(set(acts))}"


def _until_it_is_ready(folder: Path) -> None:
    """As an operator would see in the terminal."""
    end = time.monotonic() + 60
    while '"event": "ready"' not in (folder / "run.log").read_text():
        assert time.monotonic() < end, (folder / "run.log").read_text()[-3000:]
        time.sleep(0.1)


def _until_both_were_found(shell: Any, folder: Path) -> None:
    """Wait for the wanted person's alert; the officer of the blue list must never be one."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        events = [json.loads(line) for line in shell("lfr alerts --json -c lfr.yaml").splitlines()]
        if any("entry" in event for event in events) and any("entry_id" in event for event in events):
            assert [event["entry"]["id"] for event in events if "entry" in event] == ["W-1"]
            return
        time.sleep(0.5)
    raise AssertionError(f"not both found within a minute\n{(folder / 'run.log').read_text()[-3000:]}")
