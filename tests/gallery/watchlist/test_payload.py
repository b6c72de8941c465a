"""What is inside a sealed file: bytes that say how long they are, and buffers that are overwritten after use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyrage
import pytest
from watchlist_fixtures import make_payload

from appliance.core.errors import WatchlistError
from appliance.gallery.watchlist.payload import MAGIC, MAX_PORTRAIT_BYTES, Payload, decode, decrypt, encode, encrypt
from appliance.security import keys


def test_what_was_encoded_comes_out_again_as_a_copy() -> None:
    made = make_payload()
    buffer = encode(made)
    out = decode(buffer, 3)
    buffer[:] = bytes(len(buffer))
    assert out.entries == made.entries
    np.testing.assert_array_equal(out.templates, made.templates)
    np.testing.assert_array_equal(out.entry_of_template, made.entry_of_template)
    assert out.portraits == made.portraits


def test_more_entries_than_the_header_says_are_refused() -> None:
    with pytest.raises(WatchlistError, match="impossible counts"):
        decode(encode(make_payload(people=3)), 2)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_length_that_does_not_fit_the_counts_is_refused(change: int) -> None:
    buffer = encode(make_payload())
    wrong = buffer[:change] if change < 0 else buffer + b"\0"
    with pytest.raises(WatchlistError, match="does not fit its counts"):
        decode(wrong, 3)


def test_another_beginning_is_refused() -> None:
    buffer = encode(make_payload())
    buffer[: len(MAGIC)] = b"X" * len(MAGIC)
    with pytest.raises(WatchlistError, match="unknown beginning"):
        decode(buffer, 3)


def test_a_portrait_beyond_all_measure_is_refused() -> None:
    made = make_payload(people=1, photos=1)
    made.portraits[0] = bytearray(MAX_PORTRAIT_BYTES + 1)
    with pytest.raises(WatchlistError, match="impossible portraits"):
        decode(encode(made), 1)


def payload_of(owners: list[int], people: int) -> Payload:
    made = make_payload(people=3, photos=1)
    ordered = np.array(owners, np.int32)
    return Payload(made.entries[:people], made.templates[: len(ordered)], ordered, made.portraits[: len(ordered)])


@pytest.mark.parametrize("owners", [[0, 0, 0], [1, 0, 2], [0, 1, 3]])
def test_entries_without_templates_and_templates_out_of_order_are_refused(owners: list[int]) -> None:
    with pytest.raises(ValueError, match="every entry needs templates"):
        payload_of(owners, 3)


def test_two_entries_of_one_id_are_refused() -> None:
    made = make_payload(people=2, photos=1)
    with pytest.raises(ValueError, match="the same id"):
        replace(made, entries=(made.entries[0], made.entries[0]))


def test_other_types_and_missing_portraits_are_refused() -> None:
    made = make_payload()
    with pytest.raises(ValueError, match="float32"):
        replace(made, templates=made.templates.astype(np.float64))
    with pytest.raises(ValueError, match="int32"):
        replace(made, entry_of_template=made.entry_of_template.astype(np.int64))
    with pytest.raises(ValueError, match="as many portraits"):
        replace(made, portraits=made.portraits[1:])


def test_wiping_overwrites_templates_and_portraits_in_place() -> None:
    made = make_payload()
    made.wipe()
    assert not made.templates.any()
    assert not any(any(portrait) for portrait in made.portraits)


@pytest.fixture
def seal_keys(tmp_path: Path) -> Path:
    keys.new_appliance_keys(tmp_path / "keys", "B. Builder")
    return tmp_path / "keys"


@pytest.mark.parametrize("size", [0, 1, 5, 70_000], ids=["empty", "byte", "short", "several-chunks"])
def test_what_was_encrypted_is_decrypted_into_one_buffer(seal_keys: Path, size: int) -> None:
    plaintext = bytearray(np.random.default_rng(1).bytes(size))
    ciphertext = encrypt(plaintext, [keys.load_recipient(seal_keys / "seal.pub")])
    assert size < 5 or bytes(plaintext) not in bytes(ciphertext)
    identity = keys.load_identity(seal_keys / "seal.key")
    assert decrypt(memoryview(ciphertext), identity, size) == plaintext


@pytest.mark.parametrize("said", [4, 6])
def test_a_plaintext_of_another_length_than_said_is_refused(seal_keys: Path, said: int) -> None:
    ciphertext = encrypt(bytearray(b"12345"), [keys.load_recipient(seal_keys / "seal.pub")])
    with pytest.raises((ValueError, OSError)):
        decrypt(memoryview(ciphertext), keys.load_identity(seal_keys / "seal.key"), said)


def test_another_key_opens_nothing(seal_keys: Path, tmp_path: Path) -> None:
    keys.new_appliance_keys(tmp_path / "other", "B. Builder")
    ciphertext = encrypt(bytearray(b"12345"), [keys.load_recipient(seal_keys / "seal.pub")])
    with pytest.raises(pyrage.DecryptError):
        decrypt(memoryview(ciphertext), keys.load_identity(tmp_path / "other" / "seal.key"), 5)


def test_a_list_of_nobody_is_encoded_and_decoded_like_any_other() -> None:
    nobody = make_payload(people=0)
    plaintext = encode(nobody)
    assert plaintext.startswith(MAGIC)
    assert len(decode(plaintext, 0).entries) == 0
