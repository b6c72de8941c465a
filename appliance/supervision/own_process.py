"""One call in a process of its own: its libraries, its memory and a GPU's go when it is done."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from appliance.core.errors import LfrError
from appliance.core.process import die_with_parent
from appliance.core.telemetry import configure_logging

_spawn = multiprocessing.get_context("spawn")

Given = ParamSpec("Given")
Result = TypeVar("Result")


class ProcessLost(LfrError):
    """The process ended before it had an answer."""


def call_in_own_process(
    name: str, function: Callable[Given, Result], /, *given: Given.args, **named: Given.kwargs
) -> Result:
    """What a function returns when a new process calls it.

    Parameters
    ----------
    name
        Of the process, for its log.
    function, given, named
        Found again in the new process by its name, and called; what it takes and returns must be picklable. It imports
        what it needs inside, so that this process need not.

    Raises
    ------
    LfrError
        The function raised it, and is raised here as the same type.
    ProcessLost
        The process died, or the function raised something else (which is in its log).
    """
    ours, theirs = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=_call, args=(theirs, name, function, given, named), name=name, daemon=True)
    process.start()
    theirs.close()
    try:
        problem, result = ours.recv()
    except EOFError:
        raise ProcessLost(f"The process {name} was lost before it was done.") from None
    finally:  # also when a signal interrupts the wait
        ours.close()
        process.kill()
        process.join()
    if problem is not None:
        raise problem
    return result  # type: ignore[no-any-return]


def _call(answer: Connection, name: str, function: Any, given: Any, named: Any) -> None:
    die_with_parent()
    configure_logging(name)
    try:
        answer.send((None, function(*given, **named)))
    except LfrError as error:
        answer.send((error, None))
