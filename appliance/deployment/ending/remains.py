"""What must not be found after the end, and where it is looked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from appliance.config.live import Config
from appliance.core import run_folders
from appliance.deployment.ending.search import Budget, Scan, scan

_NEEDLE_BYTES: Final = 48
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def needles_of(config: Config) -> dict[str, bytes]:
    """The bytes of the secret key, and pieces of the sealed file, by name, as far as they are there still."""
    needles: dict[str, bytes] = {}
    wanted = (config.watchlist.key, config.watchlist.file)
    key, sealed = (path if path.is_file() else Path(os.devnull) for path in wanted)  # a pipe would be waited for
    with contextlib.suppress(OSError):
        for line in key.read_bytes().splitlines():
            if line.startswith(b"AGE-SECRET-KEY-1"):
                needles["sealing key (as text)"] = line.strip()
                needles["sealing key (its bytes)"] = _bech32_bytes(line.strip().decode("ascii", "replace"))
    with contextlib.suppress(OSError), sealed.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for place, at in (("middle", size // 2), ("end", size - _NEEDLE_BYTES)):
            file.seek(max(0, at))
            needles[f"sealed watchlist ({place})"] = file.read(_NEEDLE_BYTES)
    return {name: needle for name, needle in needles.items() if len(needle) >= 16}


def look(config: Config, needles: Mapping[str, bytes]) -> Scan:
    """Search state and runtime folders, those of list and key, and, within a budget, temporary folders."""
    if not needles:
        return Scan()
    roots = run_folders.temporary_roots()
    runtime = run_folders.run_folders(roots)
    result = scan([config.alerts.state_dir, *runtime], needles)
    beside = {config.watchlist.file.parent, config.watchlist.key.parent} - {config.alerts.state_dir}
    result += scan(sorted(beside), needles, recursive=False)
    seen = {finding.path for finding in result.findings}
    other = scan(roots, needles, budget=Budget())
    other.findings = [finding for finding in other.findings if finding.path not in seen]
    result += other
    return result


def _bech32_bytes(text: str) -> bytes:
    """The bytes of a bech32 string, its checksum left off (BIP 173); the age format writes keys so."""
    data = [_BECH32.find(letter) for letter in text.lower().rpartition("1")[2]][:-6]
    if min(data, default=-1) < 0:
        return b""
    number = 0
    for value in data:
        number = number << 5 | value
    spare = len(data) * 5 % 8
    return (number >> spare).to_bytes(len(data) * 5 // 8)
