"""Whether the models run on the execution provider that was asked for by name, found out before anything is started."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

from appliance.config.sections import Models
from appliance.core.errors import LfrError, ProviderError
from appliance.core.process import die_with_parent
from appliance.core.telemetry import configure_logging
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.models import load_manifest

_spawn = multiprocessing.get_context("spawn")


def prove_provider(models: Models) -> None:
    """Open both models on the provider of that name, in a process of its own: a GPU's memory goes back with it.

    Nothing is done for `auto`, which takes what there is, and for `cpu`, which is always there.

    Raises
    ------
    ProviderError
        It is not the one that would run.
    """
    if models.provider in ("auto", "cpu"):
        return
    ours, theirs = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=_prove, args=(models, theirs), name="provider", daemon=True)
    process.start()
    theirs.close()
    try:
        problem = ours.recv()
    except EOFError:
        problem = f"The models could not be tried on {models.provider}: the process that tried was lost."
    finally:  # also when a signal interrupts the wait
        ours.close()
        process.kill()
        process.join()
    if problem:
        raise ProviderError(problem)


def _prove(models: Models, answer: Connection) -> None:
    die_with_parent()
    configure_logging("provider")
    try:
        manifest = load_manifest(models.dir)
        open_detector(manifest, models.detector, models.provider, models.threads)
        open_embedder(manifest, models.embedder, models.provider, models.threads)
    except LfrError as error:
        answer.send(str(error))
    else:
        answer.send("")
