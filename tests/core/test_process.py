"""What a process asks of the kernel about itself: its name, and to die with its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import gone, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")

ARMED = "from appliance.core.process import die_with_parent; die_with_parent(); print('armed', flush=True); "
CHILD = ARMED + "input()"
DEAF = ARMED + "import time; time.sleep(90)"  # one that reads would end by itself, with its parent's end of the pipe
NAMED = "from appliance.core.process import name_process; name_process({!r}); print('done', flush=True); input()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {DEAF!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def started(source: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    with started(PARENT) as parent:
        child = int(said(parent))
        assert not gone(child)
        os.kill(parent.pid, signal.SIGKILL)
        until(lambda: gone(child), "the child's death")


def test_a_child_whose_parent_lives_goes_on() -> None:
    with started(CHILD) as child:
        assert said(child) == "armed"
        assert child.poll() is None
        child.communicate("\n", timeout=30)
        assert child.returncode == 0


@pytest.mark.parametrize(
    ("name", "shown"), [("lfr north", "lfr north"), ("lfr a-camera-with-a-long-name", "lfr a-camera-wi")]
)
def test_a_process_is_listed_under_its_name_as_far_as_fifteen_bytes_go(name: str, shown: str) -> None:
    source = (
        f"from appliance.core.process import name_process; name_process({name!r}); print('done', flush=True); input()"
    )
    with started(source) as child:
        assert said(child) == "done"
        assert Path(f"/proc/{child.pid}/comm").read_text().strip() == shown
        child.communicate("\n", timeout=30)
