"""The lock: which version of every package is installed, by the hashes of its files on the public index.

`lock.py` takes the newest versions that pyproject.toml and tested.txt allow; `lock.py --check` says, without a network,
where the lock is not what pyproject.toml asks for. A newer version upstream is no reason to fail.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
INDEX = "https://pypi.org/simple"
TESTED = "requirements/tested.txt"
ASKED = "lfr-appliance (pyproject.toml"  # so the lock says of a package that pyproject.toml names
HNSWLIB_BUILD = ["numpy>=2", "pybind11>=2", "wheel"]  # it comes as source; setuptools is asked for by ourselves


class Lock(NamedTuple):
    """One file of the lock.

    Attributes
    ----------
    name
        Of the file, without its ending.
    asked
        What it is made for, as requirements.
    source
        Arguments of `uv pip compile` that say the same; empty: it reads `asked`.
    """

    name: str
    asked: list[str]
    source: list[str]

    @property
    def path(self) -> str:
        """Relative to the root."""
        return f"requirements/{self.name}.txt"


def locks(project: dict[str, Any]) -> list[Lock]:
    """The files of the lock for a pyproject.toml; each agrees with those before it."""
    base, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    return [
        Lock("cpu", base + extras["cpu"], ["pyproject.toml", "--extra", "cpu"]),
        Lock("gpu", base + extras["gpu"], ["pyproject.toml", "--extra", "gpu"]),
        Lock("dev", groups["dev"] + groups["docs"], ["--group", "dev", "--group", "docs"]),
        Lock("build", project["build-system"]["requires"] + HNSWLIB_BUILD, []),
        Lock("uv", ["uv>=0.9"], []),
    ]


class Pin(NamedTuple):
    """A package in a file of the lock: `name==version`, how many hashes it has, and whether pyproject.toml names it."""

    name: str
    version: str
    hashes: int
    direct: bool


def pins(text: str) -> Iterator[Pin]:
    """What a file of the lock holds."""
    for block in re.split(r"\n(?=[a-zA-Z0-9])", "\n" + text):
        found = re.match(r"([a-zA-Z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", block)
        if found:
            yield Pin(canonicalize_name(found[1]), found[2], block.count("--hash=sha256:"), ASKED in block)


def unlike(lock: Lock, text: str) -> Iterator[str]:
    """Where a file of the lock is not what is asked for; one sentence each."""
    for line in text.splitlines():
        if line.startswith("-") or " @ " in line:
            yield f"{lock.path} names a place of its own: {line.split(' --hash')[0]}"
    held = list(pins(text))
    for pin in held:
        if not pin.hashes:
            yield f"{lock.path}: {pin.name} has no hash"
    asked = [Requirement(one) for one in lock.asked]
    for requirement in asked:
        versions = [pin.version for pin in held if pin.name == canonicalize_name(requirement.name)]
        if not versions:
            yield f"{lock.path} lacks {requirement}"
        yield from (
            f"{lock.path} has {requirement.name} {version}, asked for is {requirement.specifier}"
            for version in versions
            if not requirement.specifier.contains(version, prereleases=True)
        )
    names = {canonicalize_name(one.name) for one in asked}
    for pin in held:
        if pin.direct and pin.name not in names:
            yield f"{lock.path} has {pin.name}, which nothing asks for any more"


def differences(texts: dict[str, str]) -> Iterator[str]:
    """Where two files that are installed together disagree; `texts` by the file's path."""
    runtime = {path: set(pins(texts[path])) for path in texts if path.endswith(("cpu.txt", "gpu.txt"))}
    for path, own in runtime.items():
        versions: dict[str, set[str]] = {}
        for pin in own:
            versions.setdefault(pin.name, set()).add(pin.version)
        for other in set(texts) - set(runtime):
            for pin in pins(texts[other]):
                if pin.version not in versions.get(pin.name, {pin.version}):
                    yield f"{other} has {pin.name} {pin.version}, {path} has {', '.join(versions[pin.name])}"


def check(root: Path) -> list[str]:
    """All that is wrong with the lock of a checkout."""
    files = locks(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")))
    missing = [f"{lock.path} is missing" for lock in files if not (root / lock.path).exists()]
    if missing:
        return missing
    texts = {lock.path: (root / lock.path).read_text(encoding="utf-8") for lock in files}
    wrong = [sentence for lock in files for sentence in unlike(lock, texts[lock.path])]
    tested = [Requirement(line) for line in (root / TESTED).read_text().splitlines() if line and line[0] != "#"]
    for path, text in texts.items():
        for requirement in tested:
            wrong += [
                f"{path} has {pin.name} {pin.version}, tested was {requirement}"
                for pin in pins(text)
                if pin.name == canonicalize_name(requirement.name) and pin.version not in requirement.specifier
            ]
    return wrong + list(differences(texts))


def compile_all(root: Path) -> None:
    """Write every file anew. Nothing that this machine is configured with gets in: only the public index is asked."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--no-config", "--upgrade"]
    command += ["--default-index", INDEX, "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--custom-compile-command", "make lock"]
    constraints = ["-c", TESTED]
    for lock in locks(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))):
        subprocess.run(
            [*command, *constraints, "-o", lock.path, *(lock.source or ["-"])],
            input="\n".join(lock.asked), text=True, cwd=root, env=environment, check=True,
        )  # fmt: skip
        if lock.name == "cpu":
            constraints += ["-c", lock.path]


def main(arguments: list[str]) -> int:
    """The command; 1 where the check finds something."""
    if arguments != ["--check"]:
        compile_all(ROOT)
    wrong = check(ROOT)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if wrong:
        print("The lock and pyproject.toml disagree. Run: make lock", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
