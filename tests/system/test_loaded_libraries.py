"""What each long-lived process loads: the libraries of recognition belong to the cameras, and to nobody else."""

import subprocess
import sys
from pathlib import Path

import pytest
from appliance_run import deployment

from appliance.lab.simulation.scenario import Person
from appliance.vision.install import ensure_picture

RECOGNITION = {"onnxruntime", "onnx", "cv2", "hnswlib", "numpy", "PIL", "matplotlib"}

TELL = "\nimport sys\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"

SUPERVISOR = """
import sys
from functools import partial
from pathlib import Path
from appliance.cli import app, commands
commands.register(app)
from appliance.config import live
from appliance.core.telemetry import configure_logging
from appliance.supervision.live_deployment import LiveDeployment
from appliance.audit.record import AuditRecord
from appliance.console.worker import console_worker
from appliance.lab.simulation.sources import SIMULATED
from appliance.supervision.list_watch import ListWatch
from appliance.supervision.supervisor import Supervisor

if __name__ == "__main__":
    config = live.load(Path(sys.argv[1]))
    configure_logging("supervisor")
    deployment = LiveDeployment(config, console=partial(console_worker, config), simulated=SIMULATED)
    Supervisor(config, deployment)
    deployment.prepare()
    deployment.require()
    audit = AuditRecord(config.alerts.state_dir)
    watch = ListWatch(config.watchlist.file, Path(sys.argv[1]).parent, deployment, audit)
    watch.open()
    specs = deployment.specs
    specs.hub(Path(sys.argv[1]).parent)
    specs.console(Path(sys.argv[1]).parent)
    specs.camera("north", Path(sys.argv[1]).parent, watch.accepted).settings()
    deployment.started()
    deployment.save_tally({"north": {"people": 3, "frames": 9}})
    deployment.guard(3, 0)
    watch.forget()
    deployment.end("the test is over")
    deployment.purge()
"""


def loaded(script: Path, program: str, *arguments: str) -> set[str]:
    script.write_text(program + TELL)
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_supervisor_from_start_to_end_loads_nothing_of_the_recognition(folder: Path) -> None:
    config = deployment(
        folder, [{"name": "north", "source": "test:"}], [Person("hopper", (ensure_picture("hopper"),))],
        console={"listen": "127.0.0.1:8080"},
    )  # fmt: skip
    assert not loaded(folder / "supervisor.py", SUPERVISOR, str(config)) & RECOGNITION


@pytest.mark.parametrize("target", ["appliance.stream.hub", "appliance.console.server"])
def test_hub_and_console_load_nothing_of_the_recognition(tmp_path: Path, target: str) -> None:
    assert not loaded(tmp_path / "process.py", f"import {target}") & RECOGNITION


def test_a_camera_does_load_it(tmp_path: Path) -> None:
    assert {"onnxruntime", "cv2", "numpy"} <= loaded(tmp_path / "process.py", "import appliance.camera.process")
