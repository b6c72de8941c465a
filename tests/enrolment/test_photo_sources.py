"""A folder and a zip give the same names and bytes, and never anything that lies outside them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from appliance.core.errors import WatchlistError
from appliance.enrolment import photo_sources

CONTENT = {"manifest.csv": b"entry_id,image", "Ann/1.jpg": b"one", "Ann/deep/2.png": b"two"}
LEFT_BEHIND = ("Ann/.DS_Store", "__MACOSX/Ann/1.jpg", "Thumbs.db", ".git/config")


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_folder_and_a_zip_of_it_give_the_same_files_without_what_systems_leave_behind(
    tmp_path: Path, kind: str
) -> None:
    files = CONTENT | dict.fromkeys(LEFT_BEHIND, b"junk")
    if kind == "zip":
        path = make_zip(tmp_path / "x.zip", files)
    else:
        path = tmp_path / "photos"
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    source = photo_sources.open_source(path)
    assert source.names == CONTENT.keys()
    assert {name: source.read(name) for name in source.names} == CONTENT
    assert source.problems == ()
    source.close()


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_an_empty_source_has_no_names(tmp_path: Path, kind: str) -> None:
    path = make_zip(tmp_path / "x.zip", {}) if kind == "zip" else tmp_path
    source = photo_sources.open_source(path)
    assert source.names == frozenset()
    source.close()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.jpg", "a.jpg"), ("pics\\a.jpg", "pics/a.jpg"), ("./pics//a.jpg", "pics/a.jpg"), (" a.jpg ", "a.jpg"),
        ("/etc/passwd", None), ("../a.jpg", None), ("pics/../../a", None), ("C:\\a.jpg", None), ("a\0b", None),
        ("", None), (".", None),
    ],
)  # fmt: skip
def test_a_name_that_leads_out_is_no_name(name: str, safe: str | None) -> None:
    assert photo_sources.safe_name(name) == safe


@pytest.mark.parametrize(("name", "yes"), [("a.JPG", True), ("b/c.webp", True), ("notes.txt", False), ("jpg", False)])
def test_a_photo_is_told_by_the_end_of_its_name(name: str, yes: bool) -> None:
    assert photo_sources.is_photo(name) is yes


def test_a_folder_gives_no_more_than_was_asked_for_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(bytes(100))
    source = photo_sources.open_source(tmp_path)
    assert len(source.read("a.jpg", limit=100)) == 100
    with pytest.raises(WatchlistError, match="larger than"):
        source.read("a.jpg", limit=99)


def test_a_folder_with_more_files_than_a_list_may_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(4):
        (tmp_path / f"{i}.jpg").touch()
    monkeypatch.setattr(photo_sources, "MAX_FILES", 3)
    with pytest.raises(WatchlistError, match="more than 3 files"):
        photo_sources.open_source(tmp_path)


def test_a_pipe_is_no_source_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WatchlistError, match="neither a folder nor a file"):
        photo_sources.open_source(tmp_path / "pipe")


def test_two_files_of_one_name_in_a_zip_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.jpg", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.jpg", b"2")
    source = photo_sources.open_source(tmp_path / "x.zip")
    assert source.problems == ("'a.jpg' is in the zip twice.",)
    source.close()


def test_a_photo_exchanged_for_a_link_after_the_look_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "src"
    inside.mkdir()
    (inside / "a.jpg").write_bytes(b"x")
    source = photo_sources.open_source(inside)
    (tmp_path / "secret").write_bytes(b"s")
    (inside / "a.jpg").unlink()
    (inside / "a.jpg").symlink_to(tmp_path / "secret")
    with pytest.raises(WatchlistError, match="leads out"):
        source.read("a.jpg")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "x.zip", {"Ann/1.jpg": bytes(2_000_000)})
    source = photo_sources.open_source(path)
    with pytest.raises(WatchlistError, match=r"larger than .* Save it smaller"):
        source.read("Ann/1.jpg", limit=1_000_000)
    source.close()
    monkeypatch.setattr(photo_sources, "MAX_TOTAL_BYTES", 1_000_000)
    with pytest.raises(WatchlistError, match="unpacks to more than"):
        photo_sources.open_source(path)


def test_a_zip_with_a_password_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"manifest.csv": b"entry_id,image\n"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(WatchlistError, match="protected by a password"):
        photo_sources.open_source(path)


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 not really")
    for name, expected in (("x.zip", "nor a whole zip file"), ("gone", "does not exist")):
        with pytest.raises(WatchlistError, match=expected):
            photo_sources.open_source(tmp_path / name)


def test_a_damaged_member_of_a_zip_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"Ann/1.jpg": bytes(range(256)) * 40})
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(content)
    source = photo_sources.open_source(path)
    with pytest.raises(WatchlistError, match=r"Ann/1\.jpg cannot be"):
        source.read("Ann/1.jpg")
    source.close()
