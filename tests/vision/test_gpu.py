"""A GPU is there when its driver shows itself in any of the ways it does, and not otherwise."""

from pathlib import Path

import pytest

from appliance.vision import gpu


@pytest.mark.parametrize("shown", [0, 1, 2])
def test_any_sign_of_the_driver_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: int) -> None:
    files = tuple(tmp_path / name for name in ("nvidiactl", "nvidia0", "version"))
    monkeypatch.setattr(gpu, "DRIVER_FILES", files)
    assert not gpu.gpu_present()
    files[shown].touch()
    assert gpu.gpu_present()
