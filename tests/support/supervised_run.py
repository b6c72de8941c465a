"""One `lfr run` with scripted workers, as a process of its own that tests may signal and kill."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from own_ports import own_port
from prometheus_client.parser import text_string_to_metric_families

from appliance.audit.record import AuditRecord

SUPPORT = Path(__file__).parent
ROOT = Path(__file__).parents[2]


def document(folder: Path, cameras: Any = ("north",), **sections: Any) -> dict[str, Any]:
    if "console" in sections:
        sections["console"] = {"listen": f"127.0.0.1:{own_port()}"}
    return {
        "deployment": {"id": "test", "starts": "2026-01-01T10:00:00Z", "ends": "2026-01-01T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": one, "source": "test:"} if isinstance(one, str) else one for one in cameras],
        "alerts": {
            "state_dir": str(folder / "state"),
            "publish": f"ipc://{folder}/publish",
            "replay": f"ipc://{folder}/replay",
        },
        "metrics": {"listen": f"127.0.0.1:{own_port()}"},
        **sections,
    }


RESTARTS = {"first_delay_s": 0.05, "max_delay_s": 0.2, "failed_delay_s": 600.0}
# Quick in what is waited for; patient with workers, which may be away from the processor for seconds.
QUICK = {
    "policy": {**RESTARTS, "stuck_s": 30.0},
    "intervals": {
        "status_s": 0.2,
        "list_s": 0.3,
        "guard_s": 0.2,
        "tally_s": 0.3,
        "purge_s": 0.3,
        "countdown_s": 0.5,
        "cameras_stop_s": 20.0,
        "hub_stop_s": 20.0,
    },
}


def whole_lines(path: Path) -> list[str]:
    """Of a file that somebody may be writing just now; none where there is no file."""
    return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []


class Run:
    """A supervisor with fake workers; `files` of the scenario are there before it starts."""

    def __init__(self, folder: Path, scenario: dict[str, Any]) -> None:
        self.folder = folder
        self.scenario = {**QUICK, **scenario}
        self.scenario.setdefault("config", document(folder))
        if not (folder / "list.lfrw").exists():
            self.put_list("1 a b c")
        for name in self.scenario.pop("files", ()):
            (folder / name).touch()
        (folder / "scenario.json").write_text(json.dumps(self.scenario))
        self.out = (folder / "out.txt").open("wb")
        self.err = (folder / "err.txt").open("wb")
        env = {**os.environ, "PYTHONPATH": f"{ROOT}:{SUPPORT}", "XDG_RUNTIME_DIR": str(folder / "r")}
        (folder / "r").mkdir(exist_ok=True)
        command = [sys.executable, str(SUPPORT / "run_fake.py"), str(folder / "scenario.json")]
        self.process = subprocess.Popen(command, stdout=self.out, stderr=self.err, env=env, cwd=ROOT)

    def put_list(self, content: str) -> None:
        """A new watchlist takes the place of the one before as a whole."""
        new = self.folder / "list.lfrw.new"
        new.write_text(content)
        new.replace(self.folder / "list.lfrw")

    def log(self) -> str:
        return (self.folder / "err.txt").read_text()

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in whole_lines(self.folder / "err.txt") if line.startswith("{")]

    def acts(self) -> list[dict[str, Any]]:
        """What the audit record holds, then what the deployment was asked to do."""
        recorded = [{"act": one.act, **one.details} for one in AuditRecord(self.folder / "state").records()]
        asked = [json.loads(line) for line in whole_lines(self.folder / "acts.jsonl")]
        return [*recorded, *asked]

    def statuses(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in whole_lines(self.folder / "statuses.jsonl")]

    def until_status(self, condition: Any, what: str = "") -> dict[str, Any]:
        """The first status told to the hub for which the condition holds."""
        found: dict[str, Any] = self.until(
            lambda: told[-1] if (told := self.statuses()) and condition(told[-1]) else None, what=what
        )
        return found

    def attempts(self, process: str) -> list[int]:
        path = self.folder / f"attempts-{process.replace('/', '-')}"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        listen = self.scenario["config"]["metrics"]["listen"]
        with urllib.request.urlopen(f"http://{listen}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def until(self, condition: Any, within_s: float = 40.0, what: str = "") -> Any:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            if self.process.poll() is not None and not condition():
                raise AssertionError(f"the run ended with {self.process.returncode} before {what}\n{self.log()}")
            time.sleep(0.05)
        raise AssertionError(f"not within {within_s} s: {what}\n{self.log()}")

    def until_said(self, event: str, times: int = 1) -> None:
        self.until(lambda: sum(event in said for said in self.events()) >= times, what=event)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def wait(self, within_s: float = 40.0) -> int:
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_s} s\n{self.log()}") from None

    def close(self) -> None:
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
            psutil.wait_procs(children, 20)
        self.out.close()
        self.err.close()


@pytest.fixture
def start_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    runs = []

    def start(folder: Path | None = None, **scenario: Any) -> Run:
        if folder is None:
            folder = Path(tmp_path_factory.mktemp("run"))
        if isinstance(scenario.get("config"), dict) and "deployment" not in scenario["config"]:
            scenario["config"] = document(folder, **scenario["config"])
        run = Run(folder, scenario)
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.close()
