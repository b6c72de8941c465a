"""What a process asks of the kernel about itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal


def name_process(name: str) -> None:
    """What `ps` and `top` call this process (Linux; at most 15 bytes are shown)."""
    with contextlib.suppress(OSError, AttributeError):
        pr_set_name = 15
        ctypes.CDLL(None).prctl(pr_set_name, name.encode()[:15], 0, 0, 0)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux), so that no camera outlives its supervisor."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
