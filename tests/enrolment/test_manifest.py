from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pytest

from appliance.enrolment import manifest, photo_sources

TODAY = date(2026, 11, 21)


def folder(tmp_path: Path, text: str | bytes, *pictures: str) -> Path:
    for name in pictures or ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "manifest.csv").write_bytes(content)
    return tmp_path


def read(path: Path, **options: object) -> manifest.Plan:
    source = photo_sources.open_source(path)
    try:
        return manifest.plan(source, **{"max_entries": 10, "today": TODAY, **options})  # type: ignore[arg-type]
    finally:
        source.close()


def problems(path: Path, **options: object) -> list[str]:
    with pytest.raises(manifest.ManifestError) as caught:
        read(path, **options)
    return [str(problem) for problem in caught.value.problems]


FULL = """entry_id,image,category,label,response,warnings,source,legal_basis,requested_by,review_date,under_18,\
under_18_rationale,expires
N-1,a.jpg,violence,A. Person,RED,armed; violent,custody,PACE,DS Jones,2027-01-31,yes,risk to life,2026-12-01
N-1,b.jpg,,,,,,,,,,,
N-2,c.jpg,missing,,blue,,,,,,no,,
"""


def test_a_full_manifest_gives_entries_with_all_their_photos(tmp_path: Path) -> None:
    plan = read(folder(tmp_path, FULL))
    first, second = plan.entries
    assert (first.id, first.response, first.warnings) == ("N-1", "red", ("armed", "violent"))
    assert (first.review_date, first.expires, first.under_18) == (date(2027, 1, 31), date(2026, 12, 1), True)
    assert second.blue
    assert [(photo.entry, photo.name) for photo in plan.photos] == [(0, "a.jpg"), (0, "b.jpg"), (1, "c.jpg")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("separator", "end"), [(",", "\n"), (";", "\r\n"), ("\t", "\r\n")])
def test_what_excel_saves_is_read(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    lines = (("Entry ID", "image", "label"), ("N-1", "a.jpg", "Zoë Ångström"))
    text = end.join(separator.join(line) for line in lines) + end
    plan = read(folder(tmp_path, text.encode(encoding)))
    assert plan.entries[0].label == "Zoë Ångström"
    assert any("Windows-1252" in note for note in plan.notes) == (encoding == "cp1252")


def test_excels_separator_hint_and_row_numbers(tmp_path: Path) -> None:
    text = 'sep=;\r\nentry_id;image;label\r\nN-1;a.jpg;"two\r\nlines"\r\n\r\nN-2;gone.jpg;\r\n'
    assert problems(folder(tmp_path, text)) == ["row 5: the image 'gone.jpg' is not there. Add it, or remove the row."]


def test_a_tab_as_excels_separator_hint(tmp_path: Path) -> None:
    plan = read(folder(tmp_path, "sep=\t\r\nentry_id\timage\r\nN-1\ta.jpg\r\n"))
    assert [photo.name for photo in plan.photos] == ["a.jpg"]


def test_an_accent_that_macos_wrote_as_two_characters_is_the_same_name(tmp_path: Path) -> None:
    composed, apart = "Jos\u00e9.jpg", "Jose\u0301.jpg"
    plan = read(folder(tmp_path, f"entry_id,image\nN-1,{composed}\n", apart))
    assert [photo.name for photo in plan.photos] == [apart]


def test_all_problems_are_told_at_once_with_row_and_remedy(tmp_path: Path) -> None:
    text = """entry_id,image,labell,response,review_date,under_18,under_18_rationale,expires
N-1,a.jpg,,purple,2026-02-30,,,
N-2,../x.jpg,,red,,,,
N-3,A.JPG,,red,,yes,,
N-4,b.jpg,,red,03/04/2026,,,
N-4,c.jpg,,amber,,,,
N-5,b.jpg,,red,,maybe,,2026-11-20
 bad id!,gone.jpg,,red,,maybe,,
N-6,,,red,,,,
N-7,b.jpg,,red,,,,,,surplus
"""
    found = "\n".join(problems(folder(tmp_path, text)))
    for expected in (
        "row 1: the column 'labell' is unknown. Did you mean 'label'?",
        "row 2: N-1: the response 'purple' is unknown. Use one of red, amber, green, blue.",
        "row 2: N-1: review_date '2026-02-30' is not a day",
        "row 3: the image '../x.jpg' leads out of the folder.",
        "row 4: the image 'A.JPG' is not there. Did you mean 'a.jpg'?",
        "row 4: N-3: under_18 is set without an under_18_rationale.",
        "row 5: N-4: review_date '03/04/2026' cannot be read for certain. Write it like 2026-11-21",
        "row 6: response of N-4 is 'amber' here and 'red' in an earlier row (first in row 5)",
        "row 7: N-5: under_18 is 'maybe'.",
        "row 7: N-5: it expired on 2026-11-20.",
        "row 8: the entry_id 'bad id!' is not one.",
        "row 8: the image 'gone.jpg' is not there.",
        "row 8: bad id!: under_18 is 'maybe'.",
        "row 9: N-6 names no image.",
        "row 10: it has more cells than the header.",
    ):
        assert expected in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "There is nobody in it"),
        (b"entry_id,image\n", "There is nobody in it"),
        (b"sep=;", "There is nobody in it"),
        (b"image,label\na.jpg,x\n", "the column entry_id is missing"),
        (b"entry_id,image,image\nN-1,a.jpg,b.jpg\n", "is there twice"),
        (b'entry_id,image\nN-1,"a.jpg\n', "this is not CSV"),
        (b"\x81\x8d\x8f\x90\x9d\xff", "encoding that cannot be read"),
        (b"entry_id,image\nN-1,a.jpg\nN-1,./a.jpg\n", "named twice for N-1"),
    ],
)
def test_broken_manifests_are_explained(tmp_path: Path, text: bytes, expected: str) -> None:
    assert any(expected in problem for problem in problems(folder(tmp_path, text)))


def test_more_people_than_allowed_are_refused(tmp_path: Path) -> None:
    text = "entry_id,image\n" + "".join(f"N-{i},a.jpg\n" for i in range(4))
    assert problems(folder(tmp_path, text), max_entries=3) == ["4 entries; at most 3 are allowed. Shorten the list."]


def test_folders_of_people_need_no_manifest(tmp_path: Path) -> None:
    for name in ("Ann_Lee/1.jpg", "Ann_Lee/2.png", "Bo Ek/1.JPG", "loose.jpg", "Ann_Lee/notes.txt", ".DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    plan = read(tmp_path, category="wanted", response="red")
    assert [(entry.id, entry.label) for entry in plan.entries] == [("Ann_Lee", "Ann Lee"), ("Bo_Ek", "Bo Ek")]
    assert {(entry.category, entry.response) for entry in plan.entries} == {("wanted", "red")}
    assert len(plan.photos) == 3
    assert "1 pictures lie loose" in plan.notes[0]


def test_a_link_out_of_the_folder_is_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"s")
    inside = folder(tmp_path / "src", "entry_id,image\nN-1,link.jpg\n", "a.jpg")
    (inside / "link.jpg").symlink_to(secret)
    (inside / "more").symlink_to(tmp_path)
    found = "\n".join(problems(inside))
    assert "link.jpg is a link that leads out" in found
    assert "more is a link to a folder" in found
    assert "row 2: the image 'link.jpg' is not there" in found


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_a_zip_is_read_also_with_one_folder_around(tmp_path: Path) -> None:
    table = b"entry_id,image\nN-1,pics\\a.jpg\n"
    for prefix in ("", "list/"):
        path = make_zip(
            tmp_path / "x.zip",
            {f"{prefix}manifest.csv": table, f"{prefix}pics/a.jpg": b"x", "__MACOSX/manifest.csv": b""},
        )
        assert read(path).photos[0].name == "pics/a.jpg"
    people = make_zip(tmp_path / "y.zip", {"all/Ann/1.jpg": b"x", "all/Bo/1.jpg": b"x"})
    assert [entry.id for entry in read(people).entries] == ["Ann", "Bo"]


def test_names_that_lead_out_of_a_zip_are_told_and_left(tmp_path: Path) -> None:
    path = make_zip(
        tmp_path / "x.zip", {"manifest.csv": b"entry_id,image\nN-1,a.jpg\n", "a.jpg": b"x", "../../etc/b.jpg": b"x"}
    )
    link = zipfile.ZipInfo("l.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "/etc/passwd")
    found = "\n".join(problems(path))
    assert "'../../etc/b.jpg' in the zip leads out" in found
    assert "'l.jpg' in the zip leads out" in found
