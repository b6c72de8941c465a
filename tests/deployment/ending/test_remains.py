"""What must not be found afterwards is known before it is destroyed, and looked for where it may lie."""

import os
from pathlib import Path
from typing import Any

import pyrage
import pytest

from appliance.deployment.ending import remains


def test_the_needles_are_the_key_in_both_forms_and_pieces_of_the_list(on_disk: Any, secret: Any, sealed: Any) -> None:
    needles = remains.needles_of(on_disk)
    assert set(needles) == {
        "sealing key (as text)",
        "sealing key (its bytes)",
        "sealed watchlist (middle)",
        "sealed watchlist (end)",
    }
    assert needles["sealing key (as text)"] == secret
    assert needles["sealed watchlist (end)"] == sealed[-48:]
    assert needles["sealed watchlist (middle)"] in sealed


def test_a_real_keys_bytes_are_those_that_its_text_stands_for(on_disk: Any) -> None:
    text = str(pyrage.x25519.Identity.generate())
    on_disk.watchlist.key.write_text(f"# made today\n{text}\n")
    found = remains.needles_of(on_disk)["sealing key (its bytes)"]
    assert len(found) == 32
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{letters.index(letter):05b}" for letter in text.lower().rpartition("1")[2][:-6])
    assert found == bytes(int(bits[i : i + 8], 2) for i in range(0, 256, 8))


@pytest.mark.parametrize("content", [b"", b"no key\n", b"AGE-SECRET-KEY-1", b"AGE-SECRET-KEY-1B!O\n", b"\xff\xfe"])
def test_what_is_no_key_gives_no_needle_that_would_be_found_by_chance(on_disk: Any, content: bytes) -> None:
    on_disk.watchlist.key.write_bytes(content)
    on_disk.watchlist.file.write_bytes(b"short")
    assert all(len(needle) >= 16 for needle in remains.needles_of(on_disk).values())
    assert "sealing key (its bytes)" not in remains.needles_of(on_disk)


def test_what_is_gone_or_a_pipe_gives_none_and_is_not_waited_for(on_disk: Any) -> None:
    on_disk.watchlist.file.unlink()
    on_disk.watchlist.key.unlink()
    os.mkfifo(on_disk.watchlist.key)
    assert remains.needles_of(on_disk) == {}
    assert remains.look(on_disk, {}).files == 0


@pytest.mark.parametrize("place", ["state/deep/a", "keys/copy", "lists/copy", "tmp/a", "tmp/lfr-x/a"])
def test_a_copy_is_found_wherever_the_appliance_may_have_put_it(on_disk: Any, tmp_path: Path, place: str) -> None:
    needles = remains.needles_of(on_disk)
    on_disk.watchlist.key.unlink()
    on_disk.watchlist.file.unlink()
    copy = tmp_path / place
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(b"\0" * 1000 + needles["sealed watchlist (middle)"])
    (finding,) = remains.look(on_disk, needles).findings
    assert (finding.path, finding.needle) == (copy, "sealed watchlist (middle)")


def test_folders_below_those_of_key_and_list_are_the_operators_and_not_looked_into(
    on_disk: Any, tmp_path: Path
) -> None:
    needles = remains.needles_of(on_disk)
    on_disk.watchlist.key.unlink()
    on_disk.watchlist.file.unlink()
    (tmp_path / "lists" / "archive").mkdir()
    (tmp_path / "lists" / "archive" / "old").write_bytes(needles["sealed watchlist (end)"])
    assert remains.look(on_disk, needles).findings == []
