"""The search finds a needle wherever it lies, and says what it could not look at."""

import os
from pathlib import Path
from typing import Any

import pytest

from appliance.deployment.ending.search import CHUNK_BYTES, Budget, scan

NEEDLE = b"a needle that is long enough"


@pytest.mark.parametrize("at", [0, 1, CHUNK_BYTES - 5, CHUNK_BYTES, CHUNK_BYTES + 3, 2 * CHUNK_BYTES - 1])
def test_a_needle_is_found_also_across_the_border_of_two_pieces(tmp_path: Path, at: Any) -> None:
    path = tmp_path / "deep" / "file"
    path.parent.mkdir()
    path.write_bytes(b"\0" * at + NEEDLE + b"\0" * 10)
    (found,) = scan([tmp_path], {"n": NEEDLE}).findings
    assert (found.path, found.needle, found.offset) == (path, "n", at)


def test_nothing_to_find_and_nothing_to_look_at(tmp_path: Path) -> None:
    result = scan([tmp_path, tmp_path / "missing"], [NEEDLE])
    assert (result.files, result.findings, result.unread) == (0, [], [])


def test_links_sockets_and_pipes_are_passed_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(NEEDLE)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    os.mkfifo(inside / "pipe")
    assert scan([inside], [NEEDLE]).findings == []


def test_a_budget_leaves_out_the_largest_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(NEEDLE)
    (tmp_path / "large").write_bytes(b"x" * 5000)
    result = scan([tmp_path], [NEEDLE], budget=Budget(bytes_total=1000))
    assert len(result.findings) == 1
    assert [path.name for path, _ in result.unread] == ["large"]


def test_not_recursive_looks_at_a_folders_own_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(NEEDLE)
    (tmp_path / "own").write_bytes(NEEDLE)
    assert [finding.path.name for finding in scan([tmp_path], [NEEDLE], recursive=False).findings] == ["own"]


def test_a_needle_that_chance_would_find_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="by chance"):
        scan([tmp_path], [b"short"])
