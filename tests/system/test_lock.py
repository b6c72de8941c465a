"""The lock is what pyproject.toml asks for, with hashes, from nowhere but the public index."""

import re
import shutil
from pathlib import Path

import pytest

from requirements import lock

ROOT = Path(__file__).parents[2]
HASH = " \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of all that the lock consists of."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    changed = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed)


def test_the_lock_of_this_repository_is_what_is_asked_for() -> None:
    assert lock.check(ROOT) == []


def test_a_package_that_was_added_to_the_project_is_missed(checkout: Path) -> None:
    edit(checkout / "pyproject.toml", r'"numpy', '"left-pad>=1", "numpy')
    said = [f"requirements/{name}.txt lacks left-pad>=1" for name in ("cpu", "gpu")]
    assert lock.check(checkout) == said


def test_a_package_that_was_taken_out_of_the_project_is_told(checkout: Path) -> None:
    edit(checkout / "pyproject.toml", r'^ *"rich.*\n', "")
    assert "requirements/cpu.txt has rich, which nothing asks for any more" in lock.check(checkout)


def test_a_version_below_what_is_asked_for_is_told_and_a_newer_one_is_not(checkout: Path) -> None:
    edit(checkout / "requirements" / "dev.txt", r"^ruff==\S+", "ruff==0.1.0")
    assert lock.check(checkout) == ["requirements/dev.txt has ruff 0.1.0, asked for is >=0.9"]
    edit(checkout / "requirements" / "dev.txt", r"^ruff==\S+", "ruff==99.0")
    assert lock.check(checkout) == []


def test_another_inference_runtime_than_the_tested_one_is_told(checkout: Path) -> None:
    edit(checkout / "requirements" / "cpu.txt", r"^onnxruntime==\S+", "onnxruntime==1.99.0")
    assert any("onnxruntime 1.99.0, tested was" in sentence for sentence in lock.check(checkout))


def test_two_files_installed_together_hold_one_version_of_a_package(checkout: Path) -> None:
    edit(checkout / "requirements" / "dev.txt", r"^jinja2==\S+", "jinja2==3.0")
    assert any("dev.txt has jinja2 3.0" in sentence for sentence in lock.check(checkout))


@pytest.mark.parametrize(
    "line",
    ["--index-url https://mirror.example/simple", "--find-links /srv/wheels", "-e .", "x @ file:///opt/x.whl"],
)
def test_no_place_of_one_machine_stands_in_the_lock(checkout: Path, line: str) -> None:
    path = checkout / "requirements" / "cpu.txt"
    path.write_text(f"{line}\n{path.read_text()}")
    assert lock.check(checkout) == [f"requirements/cpu.txt names a place of its own: {line}"]


def test_a_package_without_a_hash_and_a_missing_file_are_told(checkout: Path) -> None:
    path = checkout / "requirements" / "uv.txt"
    path.write_text("uv==99.0\n")
    assert lock.check(checkout) == ["requirements/uv.txt: uv has no hash"]
    path.unlink()
    assert lock.check(checkout) == ["requirements/uv.txt is missing"]


def test_pins_are_read_with_markers_extras_and_without_comments() -> None:
    one = f"B_c[x]==1.0 ; python_version < '3.12'{HASH}    # via rich\n"
    text = f"# a comment\n{one}b-c==2.0 ; python_version >= '3.12'{HASH}"
    assert list(lock.pins(text)) == [lock.Pin("b-c", "1.0", 1, False), lock.Pin("b-c", "2.0", 1, False)]
    assert list(lock.pins("")) == []
