from __future__ import annotations

from pathlib import Path

import pytest

from appliance.core.errors import SecretError
from appliance.security import keys


def test_secret_files_are_private_and_public_ones_are_not(tmp_path: Path) -> None:
    made = keys.new_appliance_keys(tmp_path / "k", "B. Builder")
    modes = {path.name: path.stat().st_mode & 0o777 for path in made}
    assert modes == {"seal.key": 0o600, "seal.pub": 0o644, "builder.key": 0o600, "builder.pub": 0o644}
    assert keys.load_recipient(tmp_path / "k/seal.pub") == str(keys.load_identity(tmp_path / "k/seal.key").to_public())


def test_an_existing_key_is_never_overwritten(tmp_path: Path) -> None:
    keys.new_appliance_keys(tmp_path, "B. Builder")
    before = (tmp_path / "seal.key").read_bytes()
    with pytest.raises(SecretError, match="never overwritten"):
        keys.new_appliance_keys(tmp_path, "B. Builder")
    (tmp_path / "seal.pub").unlink()
    with pytest.raises(SecretError, match=r"seal\.key exists already"):
        keys.new_appliance_keys(tmp_path, "B. Builder")
    assert (tmp_path / "seal.key").read_bytes() == before
    assert not (tmp_path / "seal.pub").exists()


@pytest.mark.parametrize("name", ["seal.key", "builder.key"])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    keys.new_appliance_keys(tmp_path, "B. Builder")
    (tmp_path / name).chmod(0o640)
    load = keys.load_identity if name == "seal.key" else keys.load_signer
    with pytest.raises(SecretError, match=r"may be read by others.*chmod 600"):
        load(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\x00", b"AGE-SECRET-KEY-1NONSENSE", b"age1xyz\n"])
def test_what_is_no_key_is_refused_by_every_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)
    for load in (keys.load_identity, keys.load_signer, keys.load_recipient):
        with pytest.raises(SecretError):
            load(path)
    (tmp_path / "a.pub").write_bytes(content)
    with pytest.raises(SecretError):
        keys.load_signers(tmp_path)


def test_a_passphrase_protects_a_signer(tmp_path: Path) -> None:
    secret, _ = keys.new_signer(tmp_path, "a", "A. Smith", passphrase="correct horse")
    assert keys.load_signer(secret, "correct horse").name == "A. Smith"
    with pytest.raises(SecretError, match="passphrase is wrong"):
        keys.load_signer(secret, "battery")
    with pytest.raises(SecretError, match="needs its passphrase"):
        keys.load_signer(secret)


def test_a_public_key_keeps_the_name_and_checks_signatures(tmp_path: Path) -> None:
    secret, public = keys.new_signer(tmp_path, "a", "Zoë A. Smith")
    signer = keys.load_signer(secret)
    read = keys.parse_public(public.read_text(encoding="utf-8"), "x")
    assert read == signer.public
    assert read.verify(signer.sign(b"m"), b"m")
    assert not read.verify(signer.sign(b"m"), b"n")
    assert not read.verify(b"short", b"m")


def test_a_secret_is_not_in_a_repr(tmp_path: Path) -> None:
    secret, _ = keys.new_signer(tmp_path, "a", "A. Smith")
    assert "rivate" not in repr(keys.load_signer(secret))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65])
def test_a_name_that_cannot_stand_in_a_record_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SecretError):
        keys.new_signer(tmp_path, "a", name)


def test_a_passphrase_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(b"correct horse\r\nnot this\n")
    path.chmod(0o600)
    assert keys.read_passphrase(path) == "correct horse"
    assert keys.read_passphrase(None) is None


@pytest.mark.parametrize(("content", "mode"), [(b"", 0o600), (b"\nx", 0o600), (b"\xff\xfe", 0o600), (b"words", 0o644)])
def test_no_passphrase_is_read_from_a_file_that_holds_none_or_that_others_may_read(
    tmp_path: Path, content: bytes, mode: int
) -> None:
    path = tmp_path / "words"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(SecretError):
        keys.read_passphrase(path)
