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


QUICK = {
    "policy": {"first_delay_s": 0.05, "max_delay_s": 0.2, "stuck_s": 1.0, "warming_s": 20.0, "failed_delay_s": 30.0},
    "intervals": {"status_s": 0.2, "list_s": 0.3, "guard_s": 0.2, "tally_s": 0.3, "purge_s": 0.3, "countdown_s": 0.5},
}


class Run:
    """A supervisor with fake workers."""

    def __init__(self, folder: Path, scenario: dict[str, Any]) -> None:
        self.folder = folder
        self.scenario = {**QUICK, **scenario}
        self.scenario.setdefault("config", document(folder))
        (folder / "list.lfrw").write_text("1 a b c") if not (folder / "list.lfrw").exists() else None
        (folder / "scenario.json").write_text(json.dumps(self.scenario))
        self.out = (folder / "out.txt").open("wb")
        self.err = (folder / "err.txt").open("wb")
        env = {**os.environ, "PYTHONPATH": f"{ROOT}:{SUPPORT}", "XDG_RUNTIME_DIR": str(folder / "r")}
        (folder / "r").mkdir(exist_ok=True)
        command = [sys.executable, str(SUPPORT / "run_fake.py"), str(folder / "scenario.json")]
        self.process = subprocess.Popen(command, stdout=self.out, stderr=self.err, env=env, cwd=ROOT)

    def log(self) -> str:
        return (self.folder / "err.txt").read_text()

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log().splitlines() if line.startswith("{")]

    def acts(self) -> list[dict[str, Any]]:
        """What the audit record holds, then what the deployment was asked to do."""
        recorded = [{"act": one.act, **one.details} for one in AuditRecord(self.folder / "state").records()]
        path = self.folder / "acts.jsonl"
        asked = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [*recorded, *asked]

    def statuses(self) -> list[dict[str, Any]]:
        path = self.folder / "statuses.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def until_status(self, condition: Any, what: str = "") -> dict[str, Any]:
        """The first status told to the hub for which the condition holds."""
        self.until(lambda: (told := self.statuses()) and condition(told[-1]), what=what)
        return self.statuses()[-1]

    def attempts(self, process: str) -> list[int]:
        path = self.folder / f"attempts-{process.replace('/', '-')}"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        listen = self.scenario["config"]["metrics"]["listen"]
        with urllib.request.urlopen(f"http://{listen}/metrics", timeout=5) as answer:
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
            self.process.wait(5)
            psutil.wait_procs(children, 3)
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
