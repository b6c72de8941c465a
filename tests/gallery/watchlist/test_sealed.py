from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from appliance.core.errors import SecretError, WatchlistError
from appliance.gallery.watchlist import container, payload, sealed
from appliance.security import keys


def test_what_was_sealed_comes_out_again(list_setup: Any) -> None:
    made = list_setup.payload()
    opened = list_setup.open()
    assert [entry.id for entry in opened.entries] == ["N-0", "N-1", "N-2"]
    np.testing.assert_array_equal(opened.templates, made.templates)
    np.testing.assert_array_equal(opened.entry_of_template, [0, 0, 1, 1, 2, 2])
    assert opened.portraits == made.portraits
    assert (opened.deployment, opened.sequence, opened.builder) == ("croydon", 100, "B. Builder")
    assert opened.digest == sealed.digest(list_setup.list)
    assert list_setup.list.stat().st_mode & 0o777 == 0o600


def test_nothing_of_a_person_is_readable_in_the_file(list_setup: Any) -> None:
    content = list_setup.list.read_bytes()
    made = list_setup.payload()
    plaintext = bytes(payload.encode(made))
    # Each is long enough that no encrypted file holds it by chance.
    for secret in (b'"N-1"', b"Person", b"portrait-", made.templates[0].tobytes()[:16]):
        assert secret in plaintext
        assert secret not in content


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.2, 0.5, 0.999])
def test_a_truncated_list_is_refused_as_truncated(list_setup: Any, share: float) -> None:
    content = list_setup.list.read_bytes()
    list_setup.list.write_bytes(content[: max(3, int(len(content) * share))])
    with pytest.raises(WatchlistError, match="truncated"):
        list_setup.open()


def test_any_altered_byte_is_noticed(list_setup: Any) -> None:
    content = list_setup.list.read_bytes()
    for position in range(0, len(content), 7):
        altered = bytearray(content)
        altered[position] ^= 1
        list_setup.list.write_bytes(altered)
        with pytest.raises((WatchlistError, SecretError)):
            list_setup.open()


def test_an_altered_header_and_content_are_named_as_such(list_setup: Any) -> None:
    content = list_setup.list.read_bytes()
    list_setup.list.write_bytes(content.replace(b'"sequence":100', b'"sequence":900'))
    with pytest.raises(WatchlistError, match="was altered after it was sealed: its header"):
        list_setup.open()
    list_setup.list.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WatchlistError, match="was altered after it was sealed: its content"):
        list_setup.open()


def test_something_else_and_a_later_version_are_told_apart(list_setup: Any) -> None:
    content = bytearray(list_setup.list.read_bytes())
    content[8] = 2
    list_setup.list.write_bytes(content)
    with pytest.raises(WatchlistError, match="format version 2"):
        list_setup.open()
    list_setup.list.write_bytes(b"GIF89a")
    with pytest.raises(WatchlistError, match="is not a sealed watchlist"):
        list_setup.open()
    list_setup.list.unlink()
    with pytest.raises(WatchlistError, match="does not exist"):
        list_setup.open()


def test_a_list_for_another_appliance_is_refused(list_setup: Any, tmp_path: Any) -> None:
    keys.new_appliance_keys(tmp_path / "other", "B. Builder")
    list_setup.seal(recipient=keys.load_recipient(tmp_path / "other" / "seal.pub"))
    with pytest.raises(WatchlistError, match="sealed for another appliance"):
        list_setup.open()


def test_an_unknown_builder_is_refused_even_under_a_known_name(list_setup: Any, tmp_path: Any) -> None:
    secret, _ = keys.new_signer(tmp_path, "x", "B. Builder")
    list_setup.seal(signer=keys.load_signer(secret))
    with pytest.raises(WatchlistError, match="whose key is not in"):
        list_setup.open()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"deployment": "soho"}, "was built for deployment 'croydon', not for 'soho'"),
        ({"min_sequence": 101}, "older list"),
        ({"max_entries": 2}, "has 3 entries; at most 2"),
        ({"embedder_ref": "other@0"}, "made with the embedder"),
        ({"approvals": 1}, "has 0 of the 1 approvals"),
    ],
)
def test_each_refusal_has_its_own_sentence(list_setup: Any, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WatchlistError, match=sentence):
        list_setup.open(**changes)


def test_a_list_is_refused_from_the_moment_it_expires(list_setup: Any) -> None:
    expires = list_setup.now + timedelta(hours=6)
    assert len(list_setup.open(now=expires - timedelta(seconds=1))) == 3
    with pytest.raises(WatchlistError, match=r"expired at 2026-11-21T16:00:00.000Z"):
        list_setup.open(now=expires)


def test_a_list_that_names_no_deployment_is_for_trials_only(list_setup: Any) -> None:
    list_setup.seal(deployment="")
    assert len(list_setup.open()) == 3
    with pytest.raises(WatchlistError, match="names no deployment"):
        list_setup.open(approvals=1)


def test_two_known_people_must_approve(list_setup: Any) -> None:
    first, second = list_setup.approver("A. Smith"), list_setup.approver("C. Jones")
    container.append_approval(list_setup.list, first, list_setup.now)
    with pytest.raises(WatchlistError, match=r"1 of the 2 approvals that it needs \(A. Smith\)"):
        list_setup.open(approvals=2)
    container.append_approval(list_setup.list, second, list_setup.now)
    assert [approval.name for approval in list_setup.open(approvals=2).approvals] == ["A. Smith", "C. Jones"]


def test_a_strangers_approval_does_not_count_and_is_named(list_setup: Any) -> None:
    container.append_approval(list_setup.list, list_setup.approver("X. Stranger", known=False), list_setup.now)
    with pytest.raises(WatchlistError, match=r"0 of the 1 .*key of X\. Stranger is not in"):
        list_setup.open(approvals=1)


def test_nobody_approves_twice_nor_their_own_list(list_setup: Any, tmp_path: Any) -> None:
    container.append_approval(list_setup.list, list_setup.approver("A. Smith"), list_setup.now)
    again, _ = keys.new_signer(tmp_path, "again", "a smith")
    with pytest.raises(WatchlistError, match="approved this list already"):
        container.append_approval(list_setup.list, keys.load_signer(again), list_setup.now)
    with pytest.raises(WatchlistError, match="built this list"):
        container.append_approval(list_setup.list, keys.load_signer(list_setup.keys / "builder.key"), list_setup.now)


def test_forged_doubles_and_own_approvals_in_the_file_are_refused(
    list_setup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_refuse_approver", lambda *_: None)
    clean = list_setup.list.read_bytes()
    smith = list_setup.approver("A. Smith")
    container.append_approval(list_setup.list, smith, list_setup.now)
    container.append_approval(list_setup.list, smith, list_setup.now)
    with pytest.raises(WatchlistError, match=r"approved twice by 'A\. Smith'"):
        list_setup.open(approvals=2)
    list_setup.list.write_bytes(clean)
    container.append_approval(list_setup.list, keys.load_signer(list_setup.keys / "builder.key"), list_setup.now)
    with pytest.raises(WatchlistError, match="who built it"):
        list_setup.open(approvals=0)


def test_an_approval_of_another_list_is_worth_nothing(list_setup: Any) -> None:
    bare = list_setup.list.read_bytes()
    container.append_approval(list_setup.list, list_setup.approver("A. Smith"), list_setup.now)
    approval = list_setup.list.read_bytes()[len(bare) :]
    list_setup.seal(sequence=101)
    list_setup.list.write_bytes(list_setup.list.read_bytes() + approval)
    with pytest.raises(WatchlistError, match=r"approval by 'A\. Smith' is not one of this list"):
        list_setup.open(approvals=1)


def test_two_approving_at_the_same_moment_both_count(list_setup: Any) -> None:
    signers = [list_setup.approver(f"P. Officer {letter}") for letter in "ABCDEF"]
    threads = [
        threading.Thread(target=container.append_approval, args=(list_setup.list, s, list_setup.now)) for s in signers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list_setup.open(approvals=6).approvals) == 6


def test_an_entry_that_expired_yesterday_is_left_out(list_setup: Any) -> None:
    made = list_setup.payload()
    today = list_setup.now.date()
    first, second, third = made.entries
    made.entries = (
        first,
        replace(second, expires=today - timedelta(days=1)),
        replace(third, expires=today),
    )
    third_templates = made.templates[4:].copy()
    list_setup.seal(payload=made)
    opened = list_setup.open()
    assert [entry.id for entry in opened.entries] == ["N-0", "N-2"]
    assert opened.expired_ids == ("N-1",)
    np.testing.assert_array_equal(opened.entry_of_template, [0, 0, 1, 1])
    np.testing.assert_array_equal(opened.templates[2:], third_templates)
    assert bytes(opened.portraits[2]) == b"\xff\xd8portrait-4"


def test_wiping_overwrites_what_others_still_hold(list_setup: Any) -> None:
    opened = list_setup.open()
    templates, portrait = opened.templates, opened.portraits[0]
    opened.wipe()
    opened.wipe()
    assert not templates.any()
    assert not any(portrait)
    assert len(opened) == 0


def test_the_plaintext_buffers_are_overwritten_after_opening(list_setup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    buffers: list[bytearray] = []
    decrypt = payload.decrypt

    def spy(*args: Any) -> bytearray:
        buffers.append(decrypt(*args))
        assert any(buffers[0])
        return buffers[0]

    monkeypatch.setattr(sealed, "decrypt", spy)
    list_setup.open()
    assert len(buffers) == 1
    assert not any(buffers[0])


def test_the_pieces_the_library_hands_over_are_overwritten() -> None:
    piece = bytes(bytearray(b"secret face"))
    payload.overwrite_bytes(piece)
    assert piece == bytes(11)
    single = bytes(bytearray(b"s"))
    payload.overwrite_bytes(single)
    assert single == b"s", "the interpreter shares single bytes"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.templates.__setitem__((0, 0), np.nan),
        lambda p: p.templates.__setitem__(0, p.templates[0] * 2),
    ],
)
def test_templates_that_are_no_unit_vectors_are_refused_on_opening(list_setup: Any, spoil: Any) -> None:
    made = list_setup.payload()
    spoil(made)
    list_setup.seal(payload=made)
    with pytest.raises(WatchlistError, match="not a unit vector"):
        list_setup.open()


def test_impossible_sizes_inside_are_refused_before_anything_is_allocated() -> None:
    for text in (
        b'{"entries":[],"dimension":4096,"portraits":[99999999999]}',
        b'{"entries":[],"dimension":-1,"portraits":[]}',
        b'{"entries":[],"dimension":512,"portraits":[true]}',
        b'{"entries":7,"dimension":512,"portraits":[]}',
        b'["entries"]',
        b"{",
        b"[" * 100_000,
    ):
        content = bytearray(payload.MAGIC + len(text).to_bytes(4, "little") + text)
        with pytest.raises(WatchlistError, match="not what a builder makes"):
            payload.decode(content, 10)
    with pytest.raises(WatchlistError):
        payload.decode(bytearray(b"LFRP1\n\xff\xff\xff\xff"), 10)


def test_a_rebuilt_list_always_has_a_higher_sequence(list_setup: Any) -> None:
    list_setup.seal(sequence=2**40)
    list_setup.seal(sequence=None)
    assert container.read(list_setup.list).header.sequence == 2**40 + 1


def test_dates_of_entries_survive(list_setup: Any) -> None:
    made = list_setup.payload()
    made.entries = (
        replace(made.entries[0], review_date=date(2027, 1, 2), under_18=True, under_18_rationale="risk to life"),
        *made.entries[1:],
    )
    list_setup.seal(payload=made)
    assert list_setup.open().entries == made.entries


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_folder_in_the_place_of_a_list_is_said_at_once(list_setup: Any, tmp_path: Any, make: Any) -> None:
    path = tmp_path / "other.lfrw"
    make(path)
    with pytest.raises(WatchlistError, match="is not a file"):
        container.read(path)
    with pytest.raises(WatchlistError, match="is not a file"):
        container.append_approval(path, list_setup.approver("A. Smith"), list_setup.now)
    with pytest.raises(SecretError, match="is not a file"):
        keys.load_recipient(path)
