"""The wheel alone, installed with what it asks for into a new environment: no checkout in reach, models and demo work.

Builds, installs and fetches, so it is not among the tests of `make test`: `make package-test`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")

pytestmark = [pytest.mark.package, pytest.mark.timeout(400)]


def outside() -> dict[str, str]:
    """The environment without anything that leads back to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LFR_", "COV"))}
    path = [part for part in kept["PATH"].split(os.pathsep) if not Path(part).is_relative_to(ROOT)]
    return {**kept, "PATH": os.pathsep.join(path)}


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=outside(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_installs_its_models_and_runs_the_demo_where_there_is_no_checkout(folder: Path) -> None:
    wheel = max((ROOT / "dist").glob("*.whl"), default=None, key=lambda path: path.stat().st_mtime)
    if wheel is None:
        pytest.skip("there is no wheel: make package")
    wheel = Path(shutil.copy(wheel, folder))
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    # The wheel says what it needs; the lock only says which version, as the tests had it.
    locked = ["--build-constraints", ROOT / "requirements" / "build.txt", "-c", ROOT / "requirements" / "cpu.txt"]
    run(UV, "pip", "install", "--quiet", "--python", python, *locked, f"{wheel}[cpu]", cwd=folder)
    found = run(python, "-c", "import appliance; print(appliance.__file__)", cwd=folder)
    assert Path(found.strip()).is_relative_to(folder / "venv")
    lfr = python.with_name("lfr")
    models = json.loads(run(lfr, "models", "install", "--json", cwd=folder))
    assert Path(models["dir"]).is_relative_to(folder / "venv")
    said = run(lfr, "demo", "--no-browser", "--seconds", "25", "--folder", folder / "demo", cwd=folder)
    assert "alerts for anybody else: 0" in said
    run(lfr, "init", folder / "van", cwd=folder)
