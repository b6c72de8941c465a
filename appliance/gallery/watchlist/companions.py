"""Which files belong to a sealed list and must go when it goes. Names only: nothing here opens a list."""

from __future__ import annotations

from pathlib import Path

PAGE_SUFFIX = ".report.html"
"""The only companion that shows faces in clear."""
COMPANION_SUFFIXES = (PAGE_SUFFIX, ".report.json", ".cache", ".cache.key")


def companions(path: Path) -> list[Path]:
    """The files that belong to a sealed list and must go when it goes: all that exist now, the list itself first.

    The quality report (thumbnails of the photos), the encrypted cache of the builder and its key, and what an
    interrupted writing may have left (`.NAME.….tmp`).
    """
    names = [path.name, *(path.name + suffix for suffix in COMPANION_SUFFIXES)]
    found = [path.parent / name for name in names]
    if path.parent.is_dir():
        for name in names:
            found += sorted(p for p in path.parent.glob(".*.tmp") if p.name.startswith(f".{name}."))
    seen = dict.fromkeys(p for p in found if p.is_symlink() or p.exists())
    return list(seen)
