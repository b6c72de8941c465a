"""The sealed file taken apart: whole or refused, with approvals that belong to this very list."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from watchlist_fixtures import NOW, SealedListSetup

from appliance.core.errors import WatchlistError
from appliance.gallery.watchlist import container
from appliance.gallery.watchlist.container import MAX_APPROVALS, Header, append_approval, digest, read, same_person


def test_a_sealed_file_is_read_without_a_key_and_says_nothing_of_a_person(list_setup: SealedListSetup) -> None:
    found = read(list_setup.list)
    assert (found.header.entries, found.header.templates, found.header.sequence) == (3, 6, 100)
    assert found.builder.name == "B. Builder"
    assert found.approvals == ()
    assert found.digest == digest(list_setup.list)
    assert "N-1" not in found.header_bytes.decode()


def test_the_secret_parts_are_in_no_repr(list_setup: SealedListSetup) -> None:
    shown = repr(read(list_setup.list))
    assert "ciphertext=" not in shown
    assert "signature=" not in shown


def test_the_digest_is_that_of_the_whole_file_approvals_included(list_setup: SealedListSetup) -> None:
    before = digest(list_setup.list)
    found = append_approval(list_setup.list, list_setup.approver("A. Smith"), NOW)
    assert found.digest == digest(list_setup.list) != before
    assert [approval.name for approval in found.approvals] == ["A. Smith"]


def test_approving_leaves_what_the_builder_signed_as_it_was(list_setup: SealedListSetup) -> None:
    before = list_setup.list.read_bytes()
    append_approval(list_setup.list, list_setup.approver("A. Smith"), NOW)
    assert list_setup.list.read_bytes().startswith(before)
    assert list_setup.list.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [1, 2, 3, 40])
def test_an_approval_that_is_cut_off_is_refused_as_truncated(list_setup: SealedListSetup, left: int) -> None:
    bare = list_setup.list.read_bytes()
    append_approval(list_setup.list, list_setup.approver("A. Smith"), NOW)
    approval = list_setup.list.read_bytes()[len(bare) :]
    list_setup.list.write_bytes(bare + approval[:left])
    with pytest.raises(WatchlistError, match="truncated"):
        read(list_setup.list)


def test_an_approval_that_cannot_be_read_is_refused_as_altered(list_setup: SealedListSetup) -> None:
    with list_setup.list.open("ab") as file:
        file.write((4).to_bytes(2, "little") + b"{{{{")
    with pytest.raises(WatchlistError, match="one of its approvals cannot be read"):
        read(list_setup.list)


def test_there_are_only_so_many_approvals(list_setup: SealedListSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_APPROVALS", 1)
    smith, jones = list_setup.approver("A. Smith"), list_setup.approver("C. Jones")
    append_approval(list_setup.list, smith, NOW)
    with pytest.raises(WatchlistError, match="as many as it can hold"):
        append_approval(list_setup.list, jones, NOW)
    monkeypatch.setattr(container, "MAX_APPROVALS", MAX_APPROVALS)
    append_approval(list_setup.list, jones, NOW)
    monkeypatch.setattr(container, "MAX_APPROVALS", 1)
    with pytest.raises(WatchlistError, match="more than 1 approvals"):
        read(list_setup.list)


@pytest.mark.parametrize("ask", [read, digest])
def test_a_file_that_is_not_there_is_said_with_what_to_do(tmp_path: Path, ask: object) -> None:
    assert callable(ask)
    with pytest.raises(WatchlistError, match=r"gone\.lfrw does not exist.*lfr watchlist build"):
        ask(tmp_path / "gone.lfrw")


def test_a_file_beyond_all_measure_is_not_read(list_setup: SealedListSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_FILE_BYTES", 100)
    with pytest.raises(WatchlistError, match="larger than a sealed watchlist"):
        read(list_setup.list)


@pytest.mark.parametrize("change", [{"entries": 0}, {"entries": 10_001}, {"builder_key": "short"}, {"more": 1}])
def test_a_header_that_says_the_impossible_is_none(list_setup: SealedListSetup, change: dict[str, object]) -> None:
    said = read(list_setup.list).header.model_dump(mode="json")
    assert Header.model_validate(said) == read(list_setup.list).header
    with pytest.raises(ValidationError):
        Header.model_validate(said | change)


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("A. Smith", "a smith", True),
        ("O'Neil", "ONEIL", True),
        ("Straße", "STRASSE", True),
        ("A. Smith", "B. Smith", False),
    ],
)
def test_names_are_compared_as_a_person_would(name: str, other: str, same: bool) -> None:
    assert same_person(name, other) is same
