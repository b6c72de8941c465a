"""A scripted deployment for tests of the supervisor: one `lfr run` with fake workers.

The scenario is a JSON file: `config` (a document), `acts` (process to its acts), `policy` and `intervals` (changed
fields), `cold` (processes that have to warm up), `starts_in_s`, `ends_in_s`, `kept_s`, `guard_after_s`. Files
`start-now`, `end-now` and `over` move the window; from `purge-now` on no alert may be kept any more; while there is a
file `disk-full`, nothing can be recorded.
"""

import errno
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.config import live as configuration
from appliance.core.errors import LfrError, WatchlistError
from appliance.core.telemetry import configure_logging
from appliance.deployment.authority import Window
from appliance.deployment.list_facts import OpenedList, UsedList
from appliance.supervision.deployment_port import GuardFacts
from appliance.supervision.loop import Intervals
from appliance.supervision.supervisor import Supervisor
from appliance.supervision.workers import RestartPolicy, WorkerSpec


class FakeDeployment:
    """Writes down what it was asked in `acts.jsonl`; a watchlist is a text file `SEQUENCE id id …`."""

    def __init__(self, scenario: dict[str, Any], folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        now = datetime.now(UTC)
        self._window = Window(
            now + timedelta(seconds=scenario.get("starts_in_s", -60)),
            now + timedelta(seconds=scenario.get("ends_in_s", 3600)),
        )
        self._kept_until = self._window.ends + timedelta(seconds=scenario.get("kept_s", 3600))
        self._began = time.monotonic()
        self._newest = 0

    def prepare(self) -> None:
        self._asked("prepared")

    def window(self) -> Window:
        now, over = datetime.now(UTC), self.folder / "over"
        if (self.folder / "start-now").exists() and self._window.starts > now:
            self._window = Window(now, self._window.ends)
        if (self.folder / "end-now").exists() and self._window.ends > now:
            self._window = Window(self._window.starts, now)
            self._kept_until = now + timedelta(seconds=self.scenario.get("kept_s", 3600))
        return Window(self._window.starts, self._window.ends, over.read_text() if over.exists() else "")

    def require(self) -> None:
        pass

    def open_list(self, path: Path) -> OpenedList:
        text = path.read_text()
        sequence, *ids = text.split()
        if not sequence.isdigit():
            raise WatchlistError("The watchlist was tampered with.")
        if int(sequence) < self._newest:
            raise WatchlistError("The watchlist is older than the one before.")
        digest = hashlib.sha256(text.encode()).hexdigest()
        counts = {"theft": len(ids)}
        used = UsedList(
            digest=digest, sequence=int(sequence), opened_at=datetime.now(UTC), entries=len(ids), by_category=counts
        )
        return OpenedList(used, frozenset(ids))

    def _need_room(self) -> None:
        if (self.folder / "disk-full").exists():
            raise OSError(errno.ENOSPC, "No space left on device")

    def list_opened(self, facts: OpenedList, before: OpenedList | None) -> None:
        self._need_room()
        self._newest = facts.sequence
        known = before.ids if before else frozenset()
        act = "watchlist.change" if before else "watchlist.open"
        self._asked(act, added=sorted(facts.ids - known), removed=sorted(known - facts.ids))

    def _asked(self, act: str, **details: object) -> None:
        with (self.folder / "acts.jsonl").open("a") as file:
            file.write(json.dumps({"act": act, **details}) + "\n")

    def people_base(self) -> dict[str, int]:
        base: dict[str, int] = self.scenario.get("people_base", {})
        return base

    def save_tally(self, seen: dict[str, dict[str, int]]) -> None:
        self._need_room()
        (self.folder / "tally.json").write_text(json.dumps(seen))

    def uncertain_base(self) -> int:
        return int(self.scenario.get("uncertain_base", 0))

    def guard(self, people_seen: int, uncertain: int) -> GuardFacts:
        after = self.scenario.get("guard_after_s")
        if after is not None and time.monotonic() - self._began > after:
            stop = self.scenario.get("guard_stops", False)
            return GuardFacts(0.5, (0.2, 0.8), breach=True, stop=stop, sentence="Too many false alerts.")
        return GuardFacts(0.0, (0.0, 0.1))

    def end(self, reason: str) -> None:
        if self.scenario.get("end_fails"):
            raise LfrError("The key could not be destroyed.")
        self._asked("ended", reason=reason)

    def kept_until(self) -> datetime | None:
        return datetime.now(UTC) if (self.folder / "purge-now").exists() else self._kept_until

    def purge(self) -> None:
        self._asked("purge.asked")

    def started(self) -> None:
        self._asked("deployment.start")

    def _spec(self, process: str, runtime: Path) -> WorkerSpec:
        settings = {
            "process": process,
            "runtime": str(runtime),
            "folder": str(self.folder),
            "acts": self.scenario.get("acts", {}).get(process, ["live"]),
            "cold": process in self.scenario.get("cold", []),
        }
        return WorkerSpec(process, "fake_worker:serve", settings)

    @property
    def specs(self) -> "FakeDeployment":
        return self

    def hub(self, runtime: Path) -> WorkerSpec:
        return self._spec("hub", runtime)

    def console(self, runtime: Path) -> WorkerSpec | None:
        return self._spec("console", runtime) if "console" in self.scenario["config"] else None

    def camera(self, name: str, runtime: Path, sealed: Path) -> WorkerSpec:
        return self._spec(f"camera/{name}", runtime)


def main(file: str) -> int:
    path = Path(file)
    scenario = json.loads(path.read_text())
    config = configuration.parse(scenario["config"], path.parent / "config.yaml")
    configure_logging("supervisor")
    supervisor = Supervisor(
        config,
        FakeDeployment(scenario, path.parent),
        policy=RestartPolicy(**scenario.get("policy", {})),
        intervals=Intervals(**scenario.get("intervals", {})),
    )
    try:
        code = supervisor.run()
    except LfrError as error:
        print(error)
        return 1
    if supervisor.summary is not None:
        print(supervisor.summary.model_dump_json())
    return code
