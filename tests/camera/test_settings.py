"""What a camera is told reaches its spawned process whole, and costs whoever makes it nothing."""

import pickle
import subprocess
import sys
from dataclasses import replace

from appliance.camera.settings import CameraSettings


def test_the_process_is_named_after_the_camera(settings: CameraSettings) -> None:
    assert settings.process == "camera/north"


def test_settings_survive_the_way_into_a_spawned_process(settings: CameraSettings) -> None:
    told = replace(settings, min_sequence=7, simulated={"street": "some.lab:open"})
    assert pickle.loads(pickle.dumps(told)) == told


def test_a_camera_is_offered_no_simulated_source_unless_told(settings: CameraSettings) -> None:
    assert settings.simulated == {}


def test_making_them_imports_no_models_and_no_decoder() -> None:
    program = (
        "import sys, appliance.camera.settings\n"
        "print([name for name in ('cv2', 'onnxruntime', 'hnswlib', 'zmq') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
