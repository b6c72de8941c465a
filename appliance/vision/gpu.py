"""Whether this machine has an NVIDIA GPU, whatever runs on it: where it has, work on the CPU is a fault."""

from __future__ import annotations

from pathlib import Path

DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/proc/driver/nvidia/version"))


def gpu_present() -> bool:
    """Whether an NVIDIA driver shows itself here."""
    return any(file.exists() for file in DRIVER_FILES)
