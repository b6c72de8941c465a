"""The simulated sources that cameras are offered exist, and offering them costs nothing."""

import subprocess
import sys

from appliance.core.reference import find
from appliance.lab.simulation.sources import SIMULATED
from appliance.lab.simulation.street import open_street


def test_the_street_is_opened_by_what_it_names() -> None:
    assert find(SIMULATED["street"]) is open_street


def test_offering_them_imports_no_simulation() -> None:
    program = (
        "import sys, appliance.lab.simulation.sources as s; print('appliance.lab.simulation.street' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
