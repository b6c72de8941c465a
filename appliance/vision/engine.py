"""An inference session on a chosen execution provider, proven to run there before anything relies on it.

`get_available_providers()` lists CUDA even where its libraries do not load, and a session then runs on the CPU without
a word. So a provider counts only once a golden inference on it gave what the CPU gives.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import structlog

from appliance.core.errors import ModelError, ProviderError
from appliance.core.types import Float32
from appliance.vision.gpu import gpu_present

try:
    import onnxruntime as ort
except ModuleNotFoundError:  # a package that was installed without saying what it is to run on
    raise ModelError(
        "The inference runtime onnxruntime is not installed.",
        "Install lfr-appliance[cpu], or lfr-appliance[gpu] on a machine with an NVIDIA GPU.",
    ) from None

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Names in the configuration → the runtime's own."""

AUTO = ("cuda", "cpu")
"""What `auto` tries, best first. TensorRT builds engines for minutes at the first start, so it must be asked for."""

MIN_GOLDEN_COSINE = 0.99
"""Least agreement of a provider's golden outputs with the CPU's; reduced precision (TF32) stays well above it."""

_log = structlog.get_logger(__name__)


class Session:
    """A network on a proven execution provider.

    Parameters
    ----------
    model
        The ONNX file: its path, or its bytes where they were checked already.
    provider
        `auto`, or one of `PROVIDERS` that must then be the one that runs.
    threads
        CPU threads of one inference; 0 lets the runtime choose.
    golden_shape
        Shape of the golden inference's input; default: the input's own with batch 1 and free axes of 64.

    optimise
        `extended` leaves out the runtime's blocked memory layout, which slows some networks down.

    Attributes
    ----------
    provider
        The one that was proven, one of `PROVIDERS`.
    fallback
        Why `auto` did not get the best one; empty where it did, or where a provider was named. Logged as a warning
        where there is a GPU.
    golden_s
        Seconds that the golden inference took, warm.

    Raises
    ------
    ProviderError
        The named provider does not run here.
    ModelError
        The file is not a network, or gives something that is not a number.
    """

    def __init__(
        self,
        model: Path | bytes,
        provider: str = "auto",
        threads: int = 1,
        *,
        golden_shape: tuple[int, ...] | None = None,
        name: str = "",
        optimise: Literal["all", "extended"] = "all",
    ) -> None:
        if provider != "auto" and provider not in PROVIDERS:
            raise ProviderError(f"There is no provider {provider}.", f"There are: auto, {', '.join(PROVIDERS)}.")
        self.name = name or (model.stem if isinstance(model, Path) else "model")
        self._threads = threads
        self._optimise = optimise
        self._golden_shape = golden_shape
        self._data = model.read_bytes() if isinstance(model, Path) else model
        self.fallback = ""
        reasons = []
        for choice in AUTO if provider == "auto" else (provider,):
            try:
                self._session, self.golden_s = self._prove(choice)
            except ProviderError as error:
                if provider != "auto" or choice == AUTO[-1]:
                    raise
                reasons.append(error.problem)
            else:
                self.provider = choice
                break
        self._data = b""
        self.fallback = " ".join(reasons)
        self.input = self._session.get_inputs()[0].name
        self.outputs = tuple(output.name for output in self._session.get_outputs())
        if self.fallback and gpu_present():
            _log.warning("provider_fallback", model=self.name, provider=self.provider, reason=self.fallback)

    def run(self, batch: Float32, outputs: tuple[str, ...] | None = None) -> list[Float32]:
        """One inference.

        Parameters
        ----------
        batch
            What the network's input takes, `(n, 3, height, width)`.
        outputs
            Names of the wanted outputs; default: all, in the network's order.

        Raises
        ------
        ModelError
            The runtime refused the input, or an output holds NaN or infinity.
        """
        results = _run(self._session, self.name, self.input, batch, outputs)
        for name, result in zip(outputs or self.outputs, results, strict=True):
            # The sum is finite whenever nothing is wrong, and costs a fraction of looking at every element.
            if not np.isfinite(result.sum()) and not np.isfinite(result).all():
                raise ModelError(f"{self.name} on {self.provider} gave something that is not a number ({name}).")
        return results

    def warm(self, shapes: list[tuple[int, ...]]) -> None:
        """Run each input shape once, so that the first real frame does not wait for kernels to be chosen."""
        for shape in shapes:
            self.run(np.zeros(shape, np.float32))

    def _prove(self, choice: str) -> tuple[Any, float]:
        """A session whose golden inference ran on `choice`, and the seconds that it took."""
        wanted = PROVIDERS[choice]
        if wanted not in ort.get_available_providers():
            raise ProviderError(
                f"This onnxruntime has no {choice} provider.",
                "On a machine with an NVIDIA driver, make setup installs the one that has.",
            )
        session = _open(self._data, self.name, choice, self._threads, self._optimise)
        if session.get_providers()[0] != wanted:
            raise ProviderError(
                f"{choice} was asked for but {self.name} runs on {session.get_providers()[0]}.",
                "Its libraries do not load; run lfr doctor, or set models.provider: cpu.",
            )
        golden = _golden_input(session.get_inputs()[0].shape, self._golden_shape)
        name = session.get_inputs()[0].name
        try:
            results = _run(session, self.name, name, golden, None)
            started = time.perf_counter()
            results = _run(session, self.name, name, golden, None)
            seconds = time.perf_counter() - started
        except ModelError as error:
            raise ProviderError(f"{choice} cannot run {self.name}: {error.problem}") from None
        if not all(np.isfinite(result).all() for result in results):
            kind = ModelError if choice == "cpu" else ProviderError
            raise kind(f"{self.name} on {choice} gave something that is not a number for a golden picture.")
        if choice != "cpu":
            reference = _run(
                _open(self._data, self.name, "cpu", self._threads, self._optimise), self.name, name, golden, None
            )
            worst = min(_cosine(one, other) for one, other in zip(results, reference, strict=True))
            if worst < MIN_GOLDEN_COSINE:
                raise ProviderError(
                    f"{self.name} on {choice} gives other outputs than on the CPU (cosine {worst:.3f})."
                )
        return session, seconds


def _open(data: bytes, name: str, choice: str, threads: int, optimise: str) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if optimise == "extended":
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads that spin would take the cores from the other cameras' processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [PROVIDERS["cpu"]]
    if choice != "cpu":
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
        cuda = (PROVIDERS["cuda"], {"cudnn_conv_algo_search": "HEURISTIC"})
        providers = [cuda, *providers] if choice == "cuda" else [PROVIDERS["tensorrt"], cuda, *providers]
    try:
        return ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # noqa: BLE001 (onnxruntime's exceptions share no base class but Exception)
        kind = ModelError if choice == "cpu" else ProviderError
        raise kind(f"{name} cannot be loaded on {choice}: {_first_line(error)}") from None


def _run(session: Any, name: str, key: str, batch: Float32, outputs: tuple[str, ...] | None) -> list[Float32]:
    try:
        results: list[Float32] = session.run(list(outputs) if outputs else None, {key: batch})
    except Exception as error:  # noqa: BLE001 (as above)
        raise ModelError(f"{name} does not run on an input of shape {batch.shape}: {_first_line(error)}") from None
    return results


def _golden_input(declared: list[Any], shape: tuple[int, ...] | None) -> Float32:
    if shape is None:
        shape = tuple(size if isinstance(size, int) else (64 if axis else 1) for axis, size in enumerate(declared))
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def _cosine(one: Float32, other: Float32) -> float:
    a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return 1.0 if norm == 0 and np.array_equal(a, b) else float(a @ b) / max(norm, 1e-12)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
