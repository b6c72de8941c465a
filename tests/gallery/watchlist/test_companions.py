from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.gallery.watchlist.companions import companions


def test_the_companions_of_a_list_are_all_that_must_go_with_it(list_setup: Any) -> None:
    names = ["list.lfrw.report.html", "list.lfrw.report.json", "list.lfrw.cache", "list.lfrw.cache.key"]
    left = [".list.lfrw.ab12.tmp", ".list.lfrw.cache.x.tmp"]
    for name in (*names, *left, "other.lfrw", "list.lfrw.readme"):
        (list_setup.list.parent / name).write_bytes(b"x")
    found = {path.name for path in companions(list_setup.list)}
    assert found == {"list.lfrw", *names, *left}
    list_setup.list.unlink()
    assert "list.lfrw.cache" in {path.name for path in companions(list_setup.list)}


def test_a_list_in_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert companions(tmp_path / "no folder" / "list.lfrw") == []
