"""The proof of a provider, against a scripted runtime: machines with and without a GPU that works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import structlog
from vision_networks import planted_network

from appliance.core.errors import ModelError, ProviderError
from appliance.vision import engine

CPU, CUDA, TENSORRT = (engine.PROVIDERS[name] for name in ("cpu", "cuda", "tensorrt"))


class FakeRuntime:
    """An onnxruntime that lists `available`, of which only `working` load; `outputs` says what each provider gives."""

    def __init__(self, available: list[str], working: list[str], outputs: dict[str, Any] | None = None) -> None:
        self.available, self.working = available, working
        self.outputs = outputs or {}
        self.asked: list[list[Any]] = []
        self.preloaded = 0

    def get_available_providers(self) -> list[str]:
        return self.available

    def preload_dlls(self) -> None:
        self.preloaded += 1

    @staticmethod
    def SessionOptions() -> Any:  # noqa: N802 (the runtime's own name)
        return SimpleNamespace(add_session_config_entry=lambda _key, _value: None)

    def InferenceSession(self, _data: bytes, _options: Any, providers: list[Any]) -> Any:  # noqa: N802 (likewise)
        self.asked.append(providers)
        names = [item[0] if isinstance(item, tuple) else item for item in providers]
        runs = [name for name in names if name in self.working]
        given = self.outputs.get(runs[0], np.arange(4, dtype=np.float32))

        def run(_names: Any, _feeds: Any) -> list[Any]:
            if isinstance(given, Exception):
                raise given
            return [given]

        return SimpleNamespace(
            get_providers=lambda: runs,
            get_inputs=lambda: [SimpleNamespace(name="picture", shape=["batch", 3, "h", "w"])],
            get_outputs=lambda: [SimpleNamespace(name="vector")],
            run=run,
        )


def _runtime(monkeypatch: pytest.MonkeyPatch, *args: Any) -> FakeRuntime:
    fake = FakeRuntime(*args)
    monkeypatch.setattr(engine, "ort", fake)
    return fake


def test_a_listed_provider_whose_libraries_do_not_load_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _runtime(monkeypatch, [CUDA, CPU], [CPU])
    with pytest.raises(ProviderError, match=r"cuda was asked for but face runs on CPUExecutionProvider.*lfr doctor"):
        engine.Session(b"x", "cuda", name="face")


def test_auto_falls_back_to_the_cpu_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    _runtime(monkeypatch, [CUDA, CPU], [CPU])
    monkeypatch.setattr(engine, "gpu_present", lambda: True)
    with structlog.testing.capture_logs() as logs:
        session = engine.Session(b"x", "auto", name="face")
    assert session.provider == "cpu"
    assert "cuda was asked for" in session.fallback
    assert [(log["event"], log["log_level"], log["provider"]) for log in logs] == [
        ("provider_fallback", "warning", "cpu")
    ]


def test_auto_takes_the_gpu_that_works_and_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _runtime(monkeypatch, [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU])
    session = engine.Session(b"x", "auto")
    assert (session.provider, session.fallback) == ("cuda", "")
    assert (CUDA, {"cudnn_conv_algo_search": "HEURISTIC"}) in fake.asked[0]
    assert fake.preloaded == 1


def test_a_gpu_that_calculates_something_else_than_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _runtime(monkeypatch, [CUDA, CPU], [CUDA, CPU], {CUDA: np.array([3, 2, 1, 0], np.float32)})
    with pytest.raises(ProviderError, match="other outputs than on the CPU"):
        engine.Session(b"x", "cuda")
    assert engine.Session(b"x", "auto").provider == "cpu"


@pytest.mark.parametrize("given", [np.array([np.nan], np.float32), RuntimeError("CUDA failure 700: illegal address")])
def test_a_gpu_that_fails_the_golden_inference_is_refused(monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    _runtime(monkeypatch, [CUDA, CPU], [CUDA, CPU], {CUDA: given})
    with pytest.raises(ProviderError, match="cuda"):
        engine.Session(b"x", "cuda")
    assert engine.Session(b"x", "auto").provider == "cpu"


def test_a_provider_that_the_runtime_lacks_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _runtime(monkeypatch, [CPU], [CPU])
    with pytest.raises(ProviderError, match=r"no tensorrt provider.*make setup"):
        engine.Session(b"x", "tensorrt")


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ProviderError, match="There are: auto, cpu, cuda, tensorrt"):
        engine.Session(b"x", "opencl")


def test_a_network_that_gives_nan_on_the_cpu_is_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _runtime(monkeypatch, [CPU], [CPU], {CPU: np.array([np.nan], np.float32)})
    with pytest.raises(ModelError, match="not a number") as caught:
        engine.Session(b"x", "auto")
    assert not isinstance(caught.value, ProviderError)


def test_the_real_runtime_proves_the_cpu(tmp_path: Path) -> None:
    network = planted_network({"one": np.ones((1, 2))}, [1, 3, "h", "w"])
    (tmp_path / "planted.onnx").write_bytes(network)
    session = engine.Session(tmp_path / "planted.onnx", "cpu")
    assert (session.provider, session.name, session.outputs) == ("cpu", "planted", ("one",))
    assert session.golden_s > 0
    np.testing.assert_array_equal(session.run(np.zeros((1, 3, 8, 8), np.float32))[0], np.ones((1, 2)))
    with pytest.raises(ModelError, match=r"input of shape \(1, 8\)"):
        session.run(np.zeros((1, 8), np.float32))


def test_bytes_that_are_no_network_are_a_model_error() -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        engine.Session(b"nothing", "cpu")


LOAD = "import sys, pathlib, appliance.vision.engine as e; e.Session(pathlib.Path(sys.argv[1]), 'cpu')"


def test_the_runtime_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    """With telemetry it leaves an id of the machine in the user's cache, and looks up a host."""
    network = tmp_path / "planted.onnx"
    network.write_bytes(planted_network({"one": np.ones((1, 2))}, [1, 3, "h", "w"]))
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        name: value for name, value in os.environ.items() if name not in {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    }
    environment = {**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", LOAD, str(network)], env=environment, check=True, timeout=50)
    assert list(home.rglob("*")) == []


def test_an_installation_without_a_runtime_is_a_sentence_with_the_remedy(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from appliance.core.errors import ModelError\n"
        "try:\n    import appliance.vision.engine\n"
        "except ModelError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "onnxruntime is not installed. Install lfr-appliance[cpu]" in done.stdout
