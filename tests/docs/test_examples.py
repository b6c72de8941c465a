"""Examples in the documentation work: configurations are read, commands exist, the client follows a hub."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
import zmq
from alerts_material import alert, decision, pictures, running, settings, short_folder

from appliance.alerts.journal import Journal
from appliance.cli import app, commands
from appliance.config import live
from appliance.core.telemetry import Meter
from appliance.stream.client import HubClient
from appliance.stream.outbox import Outbox

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
TUTORIAL = ROOT / "docs" / "tutorial.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


# ------------------------------------------------------------------ configurations


def configurations() -> list[tuple[str, str]]:
    return [(f"{page.relative_to(ROOT)}-{i}", text) for page in PAGES for i, text in enumerate(blocks(page, "yaml"))]


@pytest.mark.parametrize(("name", "text"), configurations(), ids=[name for name, _ in configurations()])
def test_a_configuration_in_the_documentation_is_one(name: str, text: str, tmp_path: Path) -> None:
    document = yaml.safe_load(text)
    if text.startswith("# part of a configuration"):
        document = {**yaml.safe_load((ROOT / live.Config.EXAMPLE).read_text(encoding="utf-8")), **document}
    live.parse(document, tmp_path / "lfr.yaml")


# ------------------------------------------------------------------ commands


@pytest.fixture(scope="module")
def lfr() -> Any:
    """The whole command line."""
    if not app.registered_commands:
        commands.register(app)
    return typer.main.get_command(app)


def spoken() -> list[tuple[str, str]]:
    """Every `lfr …` that a page shows, in a block or within a sentence, with the page's name."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        shell = "".join(blocks(page, "sh")) + "\n".join(re.findall(r"^    (lfr .*)$", text, re.MULTILINE))
        lines = [line.strip() for line in shell.splitlines() if re.match(r"\s*(\S*/)?lfr ", line)]
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        lines += [one.replace("\n", " ") for one in re.findall(r"`((?:[^`\s]*/)?lfr [^`]+)`", prose)]
        found += [(str(page.relative_to(ROOT)), line) for line in lines]
    return found


def words_of(line: str) -> list[str]:
    line = line.split("  #")[0].split(" < ")[0].rstrip("& ").replace("…", "")
    return shlex.split(line)[1:]


def test_the_documentation_shows_commands() -> None:
    assert len(spoken()) > 40


@pytest.mark.parametrize(("page", "line"), sorted(set(spoken())))
def test_a_command_in_the_documentation_exists_with_its_options(page: str, line: str, lfr: Any) -> None:
    words, command = words_of(line), lfr
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{page}: there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word in known, f"{page}: {line}: there is no option {word}"


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in "".join(blocks(page, "sh")).splitlines()}))
def test_a_whole_line_is_accepted_by_its_command(line: str, lfr: Any) -> None:
    if not line.startswith("lfr "):
        return
    words, command, name = words_of(line), lfr, "lfr"
    while hasattr(command, "commands"):
        name = words.pop(0)
        command = command.commands[name]
    command.make_context(name, words)  # raises where something is missing, unknown or of the wrong form


def test_the_readme_and_the_tutorial_go_the_same_way() -> None:
    def way(text: str) -> list[str]:
        lines = [line.strip().split("  #")[0].strip() for line in text.splitlines()]
        return [re.sub(r"--source \S+", "--source", line) for line in lines if line.startswith("lfr ")]

    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("## A camera of your own")[1].split("\n## ")[0]
    tutorial = way("".join(blocks(TUTORIAL, "sh")))
    assert len(way(readme)) == 5
    assert [line for line in tutorial if line in way(readme)] == way(readme)


# ------------------------------------------------------------------ programs


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub without a supervisor says sooner how it is, so that no test waits for seconds."""
    monkeypatch.setattr("appliance.stream.hub.SUPERVISOR_SILENT_S", 0.3)
    monkeypatch.setattr("appliance.stream.hub.STATUS_EVERY_S", 0.2)


class Follower:
    """The example, in a process of its own as a third party would run it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, str(ROOT / "docs" / "examples" / "subscriber.py")]
        self.process = subprocess.Popen(
            [*command, f"ipc://{folder}/pub", f"ipc://{folder}/replay"], stdout=subprocess.PIPE, text=True
        )

    def next_event(self) -> tuple[str, dict[str, Any], list[int]]:
        """Past any silence of a hub that was slow to speak."""
        while (told := self.next())[0] == "silent":
            pass
        return told

    def next(self) -> tuple[str, dict[str, Any], list[int]]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        topic, rest = line.split(" ", 1)
        header, end = json.loads(rest[: rest.rindex("[")]), rest[rest.rindex("[") :]
        return topic, header, json.loads(end)

    def numbers(self, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            found.append(self.next_event()[1]["seq"])
        return found


@pytest.fixture
def follower(folder: Path, talkative: None) -> Iterator[Follower]:
    made = Follower(folder)
    yield made
    made.process.kill()
    made.process.wait()
    assert made.process.stdout is not None
    made.process.stdout.close()


def put(folder: Path, count: int) -> None:
    with Outbox(f"ipc://{folder}/hub", "north", Meter()) as outbox:
        for _ in range(count):
            outbox.send_alert(alert(), pictures())
        assert outbox.drained(30)


def test_the_client_of_the_wire_contract_gets_every_event_once_and_in_order(folder: Path, follower: Follower) -> None:
    made = settings(folder)
    with running(made) as hub:
        put(folder, 3)  # before it is there, or while: from the replay, the stream, or both
        topic, header, sizes = follower.next_event()
        assert (topic, header["seq"], len(sizes)) == ("alert", 1, 3)
        assert follower.numbers(2) == [2, 3]
        with HubClient(made.replay) as client:
            client.decide(decision(header["id"]))
        topic, header, sizes = follower.next_event()
        assert (topic, header["seq"], header["value"], sizes) == ("decision", 4, "match", [])
        epoch = hub.journal.epoch
    topic, _, _ = follower.next()
    assert topic == "silent", "the hub is away, and nobody is told"
    with Journal.open(made.state_dir) as journal:  # written while nobody could be told
        assert journal.epoch == epoch
        journal.append_alert(alert(), pictures())
    with running(made):
        put(folder, 2)
        assert follower.numbers(3) == [5, 6, 7]


def test_the_client_starts_again_with_another_journal(folder: Path, follower: Follower) -> None:
    with running(settings(folder)):
        put(folder, 2)
        assert follower.numbers(2) == [1, 2]
    with running(settings(folder, state_dir=folder / "other")):
        put(folder, 1)
        assert follower.numbers(1) == [1]


def test_the_client_drops_what_it_has_and_asks_anew_after_a_refusal(folder: Path, follower: Follower) -> None:
    """A hub that refuses first and repeats itself afterwards."""
    with zmq.Context() as context, context.socket(zmq.PUB) as pub, context.socket(zmq.ROUTER) as router:
        pub.setsockopt(zmq.LINGER, 0)
        pub.bind(f"ipc://{folder}/pub")
        router.bind(f"ipc://{folder}/replay")
        asked = 0
        while asked < 2:
            pub.send_multipart([b"status", json.dumps({"epoch": "e", "seq": 2}).encode()])
            if not router.poll(50):
                continue
            client, verb, question, body = router.recv_multipart()
            asked += 1
            assert (verb, json.loads(body)) == (b"replay", {"from": 1})
            if asked == 1:
                refusal = {"code": "unavailable", "message": "later"}
                router.send_multipart([client, b"error", question, json.dumps(refusal).encode()])
                continue
            for seq in (1, 1, 2, 1):
                header = json.dumps({"epoch": "e", "seq": seq}).encode()
                router.send_multipart([client, b"event", question, b"decision", header])
            end = {"epoch": "e", "newest": 2, "next": 3}
            router.send_multipart([client, b"end", question, json.dumps(end).encode()])
        assert follower.numbers(2) == [1, 2]
        pub.send_multipart([b"decision", json.dumps({"epoch": "e", "seq": 2}).encode()])
        pub.send_multipart([b"decision", json.dumps({"epoch": "e", "seq": 3}).encode()])
        assert follower.numbers(1) == [3]


def test_every_program_of_the_documentation_is_run_by_a_test() -> None:
    assert [path.name for path in EXAMPLES] == ["subscriber.py"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for path in EXAMPLES:
        code = f"import runpy; runpy.run_path({str(path)!r}, run_name='example')"
        subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True, timeout=30)
