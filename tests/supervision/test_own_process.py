"""What another process is asked for comes back, and so does why it cannot be had."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from appliance.core.errors import WatchlistError
from appliance.supervision.own_process import ProcessLost, call_in_own_process


def add(one: int, *, other: int) -> tuple[int, int]:
    return one + other, os.getpid()


def refuse(what: str) -> None:
    raise WatchlistError(f"{what} is torn.", "Build it again.")


def fall() -> None:
    raise RuntimeError("nobody expects this")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_result_comes_from_another_process_which_is_gone_afterwards() -> None:
    before = set(multiprocessing.active_children())
    total, pid = call_in_own_process("sum", add, 2, other=3)
    assert total == 5
    assert pid != os.getpid()
    assert set(multiprocessing.active_children()) <= before
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_expected_error_is_raised_here_with_its_type_problem_and_remedy() -> None:
    with pytest.raises(WatchlistError) as caught:
        call_in_own_process("list", refuse, "The list")
    assert (caught.value.problem, caught.value.remedy) == ("The list is torn.", "Build it again.")
    assert str(caught.value) == "The list is torn. Build it again."


def test_a_process_that_falls_or_is_killed_is_said_to_be_lost() -> None:
    before = set(multiprocessing.active_children())
    with pytest.raises(ProcessLost, match="provider was lost"):
        call_in_own_process("provider", die)
    with pytest.raises(ProcessLost):
        call_in_own_process("provider", fall)
    assert set(multiprocessing.active_children()) <= before
