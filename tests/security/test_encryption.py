"""Pictures at rest: without the key file nothing of them can be read, and none can be put in another's place."""

import os
from pathlib import Path

import pytest

from appliance.core.errors import JournalError, SecretError
from appliance.security.encryption import KEY_BYTES, PictureCipher

PICTURE = b"\xff\xd8" + b"face" * 1000


@pytest.fixture
def cipher(tmp_path: Path) -> PictureCipher:
    return PictureCipher.create(tmp_path / "journal.key")


def test_a_picture_that_was_sealed_is_read_again_by_whoever_holds_the_key(cipher: PictureCipher) -> None:
    for picture in (PICTURE, b"", bytearray(PICTURE)):
        sealed = cipher.seal("a-1", 2, picture)
        assert PictureCipher.open(cipher.path).unseal("a-1", 2, sealed) == bytes(picture)


def test_what_is_on_the_disk_shows_nothing_and_is_never_the_same_twice(cipher: PictureCipher) -> None:
    first, second = (cipher.seal("a-1", 0, PICTURE) for _ in range(2))
    assert b"face" not in first
    assert first != second


@pytest.mark.parametrize(("alert", "position"), [("a-2", 0), ("a-1", 1)])
def test_a_picture_opens_only_in_its_own_place(cipher: PictureCipher, alert: str, position: int) -> None:
    with pytest.raises(JournalError, match=f"Picture {position + 1} of alert {alert}"):
        cipher.unseal(alert, position, cipher.seal("a-1", 0, PICTURE))


@pytest.mark.parametrize("at", [0, 12, -1])
def test_a_changed_byte_is_noticed(cipher: PictureCipher, at: int) -> None:
    sealed = bytearray(cipher.seal("a-1", 0, PICTURE))
    sealed[at] ^= 1
    with pytest.raises(JournalError, match="does not open"):
        cipher.unseal("a-1", 0, bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12)])
def test_what_is_too_short_to_be_a_picture_is_one_plain_sentence(cipher: PictureCipher, sealed: bytes) -> None:
    with pytest.raises(JournalError, match="does not open"):
        cipher.unseal("a-1", 0, sealed)


def test_a_new_key_destroys_the_old_one_and_is_its_owners(cipher: PictureCipher, tmp_path: Path) -> None:
    sealed = cipher.seal("a-1", 0, PICTURE)
    before = cipher.path.read_bytes()
    (tmp_path / "hard link").hardlink_to(cipher.path)
    fresh = PictureCipher.create(cipher.path)
    assert (tmp_path / "hard link").read_bytes() != before, "overwritten before it was replaced"
    assert cipher.path.stat().st_mode & 0o777 == 0o600
    assert cipher.path.stat().st_size == KEY_BYTES
    with pytest.raises(JournalError):
        fresh.unseal("a-1", 0, sealed)
    assert (cipher.current, fresh.current) == (False, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard link", "journal.key"]


def test_a_key_that_is_destroyed_is_no_longer_current(cipher: PictureCipher) -> None:
    assert cipher.current
    cipher.path.unlink()
    assert not cipher.current


def test_a_key_that_was_half_made_before_a_power_cut_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "journal.key.new").write_bytes(b"half")
    assert PictureCipher.create(tmp_path / "journal.key").current
    assert not (tmp_path / "journal.key.new").exists()


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0, "cannot be read: No such file"),
        (bytes(KEY_BYTES), 0o640, "can be read by others"),
        (bytes(KEY_BYTES - 1), 0o600, "it has 31 bytes, not 32"),
        (b"", 0o600, "it has 0 bytes"),
    ],
)
def test_a_key_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, mode: int, why: str) -> None:
    path = tmp_path / "journal.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(SecretError, match=why):
        PictureCipher.open(path)


def test_a_folder_that_cannot_be_written_is_the_journals_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal\.key cannot be written: No such file or directory\. Give alerts"):
        PictureCipher.create(tmp_path / "nowhere" / "journal.key")


def test_the_key_is_in_no_text(cipher: PictureCipher) -> None:
    key = cipher.path.read_bytes()
    assert key.hex() not in repr(cipher)
    assert os.fsencode(repr(cipher)).count(key) == 0
