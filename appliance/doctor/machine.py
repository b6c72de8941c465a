"""What the doctor looks at on the machine itself: disk, memory, ports, console, clocks, modes of secret files."""

from __future__ import annotations

import ctypes
import os
import stat
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from appliance.config.live import Config
from appliance.core.errors import SecretError
from appliance.deployment.running import holder
from appliance.doctor.findings import Finding
from appliance.security.tls import check_pair
from appliance.supervision.addresses import addresses, taken
from appliance.supervision.health import DISK_CRITICAL_BYTES, DISK_LOW_BYTES, disk_free

SLOW_SYNC_S = 0.1
MEMORY_PER_CAMERA_BYTES = 400_000_000
CLOCK_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""


def disk(config: Config) -> Iterator[Finding]:
    """Where alerts are kept: can it be written, is it durable, how fast, how much room."""
    folder = config.alerts.state_dir
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("disk", "fail", f"{there} cannot be written by this user.", f"Run: chown it, or mkdir {folder}")
        return
    kind = _filesystem(there)
    if kind in ("tmpfs", "ramfs"):
        text = f"{there} is in memory ({kind}): alerts would not survive a power cut."
        yield Finding("disk", "warn", text, "Put alerts.state_dir on a durable disk.")
    took_s = _sync_s(there)
    text = f"{there} can be written; a write is durable after {took_s * 1000:.1f} ms"
    if took_s > SLOW_SYNC_S:
        yield Finding("disk", "warn", text, "Alerts wait for this; use a faster disk.")
    else:
        yield Finding("disk", "ok", text)
    free = disk_free(there)
    if free < DISK_CRITICAL_BYTES:
        yield Finding("disk", "fail", f"Only {free / 1e6:.0f} MB are free.", "Make room: 1 GB at least.")
    elif free < DISK_LOW_BYTES:
        yield Finding("disk", "warn", f"Only {free / 1e6:.0f} MB are free.", "Make room: 1 GB at least.")
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.1f} GB are free")


def _filesystem(path: Path) -> str:
    best, kind = "", ""
    for part in psutil.disk_partitions(all=True):
        if path.is_relative_to(part.mountpoint) and len(part.mountpoint) >= len(best):
            best, kind = part.mountpoint, part.fstype
    return kind


def _sync_s(folder: Path) -> float:
    """Median of five durable writes of 4 kB, as the journal makes them."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(5):
            started = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def memory(config: Config) -> Iterator[Finding]:
    """Enough for the cameras, and none of it written to a disk."""
    available = psutil.virtual_memory().available
    wanted = MEMORY_PER_CAMERA_BYTES * len(config.cameras)
    text = f"{available / 1e9:.1f} GB of memory are available for {_cameras(len(config.cameras))}"
    if available < wanted:
        yield Finding("memory", "warn", text, f"{wanted / 1e9:.1f} GB would be safe; close other programs.")
    else:
        yield Finding("memory", "ok", text)
    if _swaps_to_disk():
        text = "Swap is on: memory with faces or templates may be written to the disk."
        yield Finding("memory", "warn", text, "Run: swapoff -a, or encrypt the swap.")


def _cameras(count: int) -> str:
    return "1 camera" if count == 1 else f"{count} cameras"


def _swaps_to_disk() -> bool:
    try:
        lines = Path("/proc/swaps").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    return any(not line.startswith(("/dev/zram", "/dev/dm-")) for line in lines)


def ports(config: Config) -> Iterator[Finding]:
    """Every address that would be listened on is free, or held by this deployment's own run."""
    running = holder(config.alerts.state_dir)
    if running is not None:
        text = f"the appliance is running already (process {running}); its ports are in use"
        yield Finding("ports", "warn", text, "Stop it before you rely on what is said here of ports and cameras.")
        return
    given: dict[str, str] = {}
    for key, address in addresses(config).items():
        same = address.replace("localhost:", "127.0.0.1:")
        if same in given:
            yield Finding("ports", "fail", f"{key} and {given[same]} are both {address}.", "Give one another address.")
            continue
        given[same] = key
        why = taken(address)
        if why:
            yield Finding("ports", "fail", f"{key} {address} cannot be used: {why}.", "Choose another address or port.")
        else:
            yield Finding("ports", "ok", f"{key} {address} is free")


def console(config: Config) -> Iterator[Finding]:
    """Whether the officers' page can be served, and whether anybody may sign in to it."""
    section = config.console
    if section is None:
        return
    if section.tls_cert is not None and section.tls_key is not None:
        try:
            check_pair(section.tls_cert, section.tls_key)
        except SecretError as error:
            yield Finding("console", "fail", error.problem, error.remedy)
        else:
            yield Finding("console", "ok", "the certificate and its key fit together")
    if config.users_file.exists():
        yield Finding("console", "ok", f"who may sign in is in {config.users_file}")
    else:
        text = f"Nobody may sign in to the console: there is no {config.users_file}."
        yield Finding("console", "warn", text, "Add officers with: lfr users add NAME --role operator -c CONFIG")


def clocks() -> Iterator[Finding]:
    """Alerts carry the time: is the clock set by somebody, and does the other clock only go forward."""
    synchronised = _synchronised()
    if synchronised is None:
        text = "Whether the clock is set by NTP cannot be told here."
        yield Finding("clock", "warn", text, "Compare it with another clock before the start.")
    elif synchronised:
        yield Finding("clock", "ok", "the clock is set by NTP")
    else:
        text = "The clock is not set by NTP: alerts may carry a wrong time, and the window may open or close wrongly."
        yield Finding("clock", "warn", text, "Run: timedatectl set-ntp true")
    zone = time.strftime("%Z, UTC%z")
    yield Finding("clock", "ok", f"local time zone {zone}; every record is in UTC")
    info = time.get_clock_info("monotonic")
    if not info.monotonic or info.adjustable:
        yield Finding("clock", "warn", "The monotonic clock of this system can be changed.", "Use another system.")


def _synchronised() -> bool | None:
    """From the kernel itself, adjtimex(2) in its reading form; None where it does not answer."""
    buffer = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    status_offset = 8 + 4 * ctypes.sizeof(ctypes.c_long)  # modes (padded), offset, freq, maxerror, esterror
    status = int.from_bytes(buffer.raw[status_offset : status_offset + 4], "little")
    return not status & CLOCK_UNSYNCHRONISED


def secrets(config: Config) -> Iterator[Finding]:
    """Files that must be read by this user alone."""
    state_dir = config.alerts.state_dir
    files = [config.watchlist.key, config.users_file, state_dir / "journal.key"]
    if config.console is not None and config.console.tls_key is not None:
        files.append(config.console.tls_key)
    files += [camera.credentials for camera in config.cameras if camera.credentials is not None]
    looked, troubled = 0, False
    for path in files:
        try:
            found = path.stat()
        except OSError:
            continue  # what is missing is told where it is needed
        looked += 1
        if stat.S_IMODE(found.st_mode) & 0o077:
            troubled = True
            yield Finding("secrets", "fail", f"{path} can be read by others.", f"Run: chmod 600 {path}")
        elif found.st_uid not in (os.getuid(), 0):
            yield Finding("secrets", "warn", f"{path} belongs to another user.", f"Run: chown {os.getuid()} {path}")
    if state_dir.is_dir() and stat.S_IMODE(state_dir.stat().st_mode) & 0o077:
        yield Finding("secrets", "warn", f"{state_dir} is open to others.", f"Run: chmod 700 {state_dir}")
    elif looked and not troubled:
        files_read = "1 secret file" if looked == 1 else f"{looked} secret files"
        yield Finding("secrets", "ok", f"{files_read} can be read by this user alone")
