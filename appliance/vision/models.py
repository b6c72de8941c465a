"""models/manifest.yaml: which models there are, what goes into them, and their verified files.

A prepared model's own sha256 is recorded in `prepared.json` when it is made and checked each time it is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from appliance.config.sections import Section
from appliance.core.errors import ModelError

MANIFEST = "manifest.yaml"
RECORD = "prepared.json"
RECIPE = 2
"""Version of the preparation; a model that was prepared by an earlier one is prepared again."""

INSTALL_REMEDY = "Run lfr models install."
_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
_MEMBER = r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*(/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*$"

ARCFACE_TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the five landmarks lie in a 112 × 112 crop (x, y): insightface's `arcface_dst` (Deng et al., ArcFace, 2019)."""

STRIDES = (8, 16, 32)
LAYOUTS: dict[str, tuple[str, ...]] = {
    "centerface": ("heat", "scale", "offset", "landmarks"),
    "scrfd": tuple(f"{kind}_{stride}" for kind in ("score", "box", "points") for stride in STRIDES),
    "yunet": tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES),
}
"""How the outputs of detectors are laid out: the layout's name to what the outputs are, in the order in which such a
network gives them unless its entry's `outputs` says otherwise. `detector_outputs` reads each."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Triple = tuple[float, float, float]
Point = tuple[float, float]


class Source(Section):
    """Where a file comes from: exactly one of a wheel on PyPI, an npm package, an installed package, a local file."""

    pypi: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*[=<>!~]=?[0-9][0-9A-Za-z.*,<>=!~-]*$")
    npm: str | None = Field(None, pattern=r"^(@[a-z0-9._-]+/)?[a-z0-9._-]+@[0-9][0-9A-Za-z.-]*$")
    installed: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]+$", description="a package beside the appliance")
    file: Path | None = Field(None, description="relative to the manifest")
    member: str = Field("", pattern=_MEMBER + "|^$", description="path of the file inside the package")

    @model_validator(mode="after")
    def _one(self) -> Source:
        if sum(value is not None for value in (self.pypi, self.npm, self.installed, self.file)) != 1:
            raise PydanticCustomError("source", "needs exactly one of pypi, npm, installed and file")
        if (self.file is None) != bool(self.member):
            raise PydanticCustomError("source", "a package needs member (the path inside it), a file does not")
        return self

    def __str__(self) -> str:
        if self.file is not None:
            return str(self.file)
        return f"{self.pypi or self.npm or self.installed}:{self.member}"


class Asset(Section):
    """A file, where it comes from and what it must hash to."""

    name: str = Field(pattern=_NAME)
    source: Source
    archive_sha256: Sha256 | None = Field(None, description="of the package as downloaded, where it is one file")
    sha256: Sha256 = Field(description="of the file itself")
    licence: str = Field(min_length=2)

    @property
    def ref(self) -> str:
        """Name and first 12 digits of the sha256: identifies the model in alerts, watchlists and records."""
        return f"{self.name}@{self.sha256[:12]}"


class Picture(Asset):
    """A portrait that the demo, the tests and the preparation use."""

    @property
    def filename(self) -> str:
        """Name of the file in the models folder."""
        return self.name + Path(self.source.member or str(self.source.file)).suffix


class Model(Asset):
    """What every network has in common."""

    opset: int | None = Field(17, ge=7, le=23, description="raised to this operator set; null leaves it")
    optimise: Literal["all", "extended"] = Field(
        "all", description="extended: without the blocked layout, where that makes this network slower on a CPU"
    )

    @property
    def filename(self) -> str:
        """Name of the prepared file in the models folder."""
        return f"{self.name}.onnx"


class DetectorInput(Section):
    """How pixels become the detector's input: `(x − mean) · scale`, channel by channel in the order given."""

    channels: Literal["rgb", "bgr"]
    mean: Triple = (0, 0, 0)
    scale: float = Field(1.0, gt=0)
    multiple_of: int = Field(32, ge=1, le=256, description="width and height must be a multiple of this")
    size_wh: tuple[int, int] | None = Field(None, description="for a network of one fixed input size")


class EmbedderInput(Section):
    """How pixels become the embedder's input: `(x − mean) · scale`, channel by channel in the order given."""

    channels: Literal["rgb", "bgr"]
    mean: Triple = (0, 0, 0)
    scale: float = Field(1.0, gt=0)


class DetectorEntry(Model):
    """A face detector with five landmarks."""

    adapter: str = Field(description="how the outputs are laid out: " + ", ".join(LAYOUTS))
    outputs: dict[str, str] = Field(default_factory=dict, description="role of the adapter → the network's output name")
    input: DetectorInput
    face_px: float = Field(ge=4, le=256, description="height of a face in the network's input that it finds reliably")
    match_threshold: float = Field(gt=0, lt=1)
    eager_threshold: float = Field(gt=0, lt=1)
    nms_iou: float = Field(0.3, gt=0, lt=1)

    @model_validator(mode="after")
    def _check(self) -> DetectorEntry:
        roles = LAYOUTS.get(self.adapter)
        if roles is None:
            raise PydanticCustomError("adapter", "adapter is {names}", {"names": " or ".join(LAYOUTS)})
        if self.outputs and set(self.outputs) != set(roles):
            raise PydanticCustomError("outputs", "outputs names each of {roles}", {"roles": ", ".join(roles)})
        if self.eager_threshold > self.match_threshold:
            raise PydanticCustomError("eager", "eager_threshold is above match_threshold")
        return self


class EmbedderEntry(Model):
    """An ArcFace-style embedder: aligned crops to unit vectors compared by cosine similarity."""

    input: EmbedderInput
    output: str | None = Field(None, description="name of the output; default: the first")
    template: Literal["arcface"] | tuple[Point, Point, Point, Point, Point] = "arcface"
    crop_px: int = Field(112, ge=32, le=512)
    dimension: int = Field(ge=16, le=4096)
    threshold: float = Field(gt=-1, lt=1, description="cosine similarity from which a candidate is an alert")

    @property
    def template_points(self) -> tuple[Point, ...]:
        """The five landmarks' places (x, y) in the crop, pixels."""
        if self.template == "arcface":
            return tuple((x * self.crop_px / 112, y * self.crop_px / 112) for x, y in ARCFACE_TEMPLATE)
        return self.template


class Manifest(Section):
    """The manifest, and the folder in which the prepared models lie."""

    dir: Path
    base: Path = Field(description="folder of the manifest itself")
    detectors: dict[str, DetectorEntry]
    embedders: dict[str, EmbedderEntry]
    pictures: dict[str, Picture]

    @model_validator(mode="after")
    def _names(self) -> Manifest:
        names = [asset.name for asset in self.assets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PydanticCustomError("names", "two entries are called {name}", {"name": ", ".join(twice)})
        return self

    @property
    def assets(self) -> tuple[Picture | DetectorEntry | EmbedderEntry, ...]:
        """Everything that the manifest names, pictures first (the preparation of models needs one)."""
        return (*self.pictures.values(), *self.detectors.values(), *self.embedders.values())

    def detector(self, name: str) -> DetectorEntry:
        """The detector of that name.

        Raises
        ------
        ModelError
            There is none; the message names those that there are.
        """
        if name not in self.detectors:
            raise ModelError(f"There is no detector {name} in {self.base / MANIFEST}.", _there_are(self.detectors))
        return self.detectors[name]

    def embedder(self, name: str) -> EmbedderEntry:
        """The embedder of that name; raises ModelError where there is none."""
        if name not in self.embedders:
            raise ModelError(f"There is no embedder {name} in {self.base / MANIFEST}.", _there_are(self.embedders))
        return self.embedders[name]

    def path(self, asset: Picture | Model) -> Path:
        """Where the ready file lies, or would."""
        return self.dir / asset.filename


def _there_are(names: dict[str, Any]) -> str:
    return "There are: " + ", ".join(sorted(names)) + "."


def default_dir() -> Path:
    """`LFR_MODELS`, else `models/` of the checkout, else the place where an installed wheel keeps the manifest."""
    if os.environ.get("LFR_MODELS"):
        return Path(os.environ["LFR_MODELS"]).expanduser().resolve()
    return _shipped_dir()


def _shipped_dir() -> Path:
    checkout = Path(__file__).resolve().parents[2] / "models"
    return checkout if (checkout / MANIFEST).exists() else Path(sys.prefix) / "share" / "lfr-appliance" / "models"


def load_manifest(directory: Path | None = None) -> Manifest:
    """Read the manifest of a models folder; a folder without one uses the manifest that the appliance ships.

    Raises
    ------
    ModelError
        Naming the file and each key that is wrong.
    """
    folder = (directory or default_dir()).resolve()
    path = next((p for p in (folder / MANIFEST, _shipped_dir() / MANIFEST) if p.exists()), None)
    if path is None:
        raise ModelError(f"{folder} holds no {MANIFEST}.", "Name the folder with LFR_MODELS or models.dir.")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from None
    if not isinstance(document, dict):
        raise ModelError(f"{path} is not a manifest of models.")
    for section in ("detectors", "embedders", "pictures"):
        entries = document.get(section)
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise ModelError(f"{path}: {section} must map names to entries.")
        document[section] = {str(name): {**entry, "name": str(name)} for name, entry in entries.items()}
    try:
        return Manifest.model_validate({**document, "dir": folder, "base": path.parent})
    except ValidationError as error:
        raise ModelError("\n".join(_problem(path, item) for item in error.errors(include_url=False))) from None


def _problem(path: Path, item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing" and item["loc"][-1] == "threshold":
        return (
            f"{path}: {where} is missing: a threshold belongs to a model. Measure one with lfr evaluate faces before "
            "the embedder is used."
        )
    if item["type"] == "extra_forbidden":
        return f"{path}: {where} is not a key that exists here."
    return f"{path}: {where or 'the manifest'}: {item['msg']}."


def sha256_of(data: bytes) -> str:
    """The sha256 of bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """What `prepared.json` says of each prepared model; empty where nothing was prepared or the file is damaged."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {name: value for name, value in record.items() if isinstance(value, dict)}


def read_ready(manifest: Manifest, asset: Picture | Model) -> bytes:
    """The bytes of a prepared model or picture, checked against their recorded sha256.

    Raises
    ------
    ModelError
        It is missing, was made from another original than the manifest names, or was altered since.
    """
    with _opened(manifest, asset) as file:
        data = file.read()
    _require_unaltered(manifest, asset, sha256_of(data))
    return data


def check_ready(manifest: Manifest, asset: Picture | Model) -> None:
    """Like `read_ready`, without keeping the file in memory; raises what that raises."""
    with _opened(manifest, asset) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _require_unaltered(manifest, asset, found)


@contextlib.contextmanager
def _opened(manifest: Manifest, asset: Picture | Model) -> Iterator[BufferedReader]:
    path = manifest.path(asset)
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise ModelError(f"{asset.name} is not installed ({path} does not exist).", INSTALL_REMEDY) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from None


def _require_unaltered(manifest: Manifest, asset: Picture | Model, sha256: str) -> None:
    path = manifest.path(asset)
    if isinstance(asset, Picture):
        expected: object = asset.sha256
    else:
        record = read_record(manifest.dir).get(asset.name, {})
        if record.get("source_sha256") != asset.sha256 or (record.get("opset"), record.get("recipe")) != (
            asset.opset,
            RECIPE,
        ):
            raise ModelError(f"{path} was not prepared from what the manifest names.", INSTALL_REMEDY)
        expected = record.get("sha256")
    if sha256 != expected:
        raise ModelError(
            f"{path} was altered after it was installed: its sha256 does not match.",
            f"Find out why; then delete it and {INSTALL_REMEDY[0].lower()}{INSTALL_REMEDY[1:]}",
        )


def verify(manifest: Manifest) -> dict[str, str]:
    """What is wrong with each asset: its name → "" where it is installed and unaltered, else the reason."""
    problems = {}
    for asset in manifest.assets:
        try:
            check_ready(manifest, asset)
            problems[asset.name] = ""
        except ModelError as error:
            problems[asset.name] = str(error)
    return problems
