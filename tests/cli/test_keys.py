"""`lfr keys`: what is made, what is said of it, and what is never overwritten."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from appliance.cli import keys as commands
from appliance.core.errors import SecretError
from appliance.security import keys


def lfr(*words: Any, fails: bool = False) -> str:
    result = CliRunner().invoke(commands.app, [str(word) for word in words])
    if fails:
        assert isinstance(result.exception, SecretError), result.output
        return str(result.exception)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_an_appliances_keys_are_told_apart_as_secret_and_public(tmp_path: Path) -> None:
    lines = lfr("new", tmp_path / "k[1]", "--name", "B. Builder").splitlines()
    told = {Path(line.split("  ")[0]).name: line.split("  ")[1].partition(":")[0] for line in lines[:4]}
    assert told == {"seal.key": "secret", "seal.pub": "public", "builder.key": "secret", "builder.pub": "public"}
    for line in lines[:4]:
        path = Path(line.split("  ")[0])
        assert path.exists(), "a bracket in a path is no markup"
        assert bool(path.stat().st_mode & 0o077) == (path.suffix == ".pub")


def test_a_second_time_nothing_is_overwritten(tmp_path: Path) -> None:
    lfr("new", tmp_path)
    before = (tmp_path / "seal.key").read_bytes()
    assert "never overwritten" in lfr("new", tmp_path, fails=True)
    assert (tmp_path / "seal.key").read_bytes() == before


def test_a_persons_pair_goes_where_it_is_asked_for_under_a_name_made_of_theirs(tmp_path: Path) -> None:
    lfr("signer", tmp_path / "mine", "--name", "A. Smith", "--into", tmp_path / "approvers")
    assert (tmp_path / "mine" / "a-smith.key").exists()
    assert (tmp_path / "approvers" / "a-smith.pub").exists()
    assert keys.load_signer(tmp_path / "mine" / "a-smith.key").name == "A. Smith"
    lfr("signer", tmp_path / "mine", "--name", "A. Smith", "--file", "second")
    assert (tmp_path / "mine" / "second.key").exists()


@pytest.mark.parametrize("stem", ["../outside", ".hidden", "a/b"])
def test_a_file_name_cannot_lead_elsewhere(tmp_path: Path, stem: str) -> None:
    assert "cannot be a file's name" in lfr("signer", tmp_path / "k", "--name", "A", "--file", stem, fails=True)
    assert not (tmp_path / "k").exists()


def test_a_passphrase_file_protects_the_key(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("correct horse\n")
    words.chmod(0o644)
    assert "chmod 600" in lfr("signer", tmp_path, "--name", "A", "--passphrase-file", words, fails=True)
    words.chmod(0o600)
    lfr("signer", tmp_path, "--name", "A", "--passphrase-file", words)
    with pytest.raises(SecretError, match="needs its passphrase"):
        keys.load_signer(tmp_path / "a.key")
