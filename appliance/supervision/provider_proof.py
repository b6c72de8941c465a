"""Whether the models run on the execution provider that was asked for by name, found out before anything is started."""

from __future__ import annotations

from appliance.config.sections import Models
from appliance.core.errors import ProviderError
from appliance.supervision.own_process import ProcessLost, call_in_own_process


def prove_provider(models: Models) -> None:
    """Open both models on the provider of that name, in a process of its own: a GPU's memory goes back with it.

    Nothing is done for `auto`, which takes what there is, and for `cpu`, which is always there.

    Raises
    ------
    ProviderError
        It is not the one that would run.
    ModelError
        A model cannot be opened at all.
    """
    if models.provider in ("auto", "cpu"):
        return
    try:
        call_in_own_process("provider", _open_both, models)
    except ProcessLost:
        raise ProviderError(
            f"The models could not be tried on {models.provider}: the process that tried was lost."
        ) from None


def _open_both(models: Models) -> None:
    from appliance.vision.detector import open_detector
    from appliance.vision.embedder import open_embedder
    from appliance.vision.models import load_manifest

    manifest = load_manifest(models.dir)
    open_detector(manifest, models.detector, models.provider, models.threads)
    open_embedder(manifest, models.embedder, models.provider, models.threads)
