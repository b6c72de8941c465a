"""Errors: one tree, drawn where they are defined, and one plain sentence each."""

import ast
import builtins
import errno
import re
from pathlib import Path

import pytest

import appliance
from appliance.core import errors
from appliance.core.errors import FileError, FileLocked, LfrError, SourceRefused

ROOT = Path(appliance.__file__).parent


def bases_in_the_source() -> dict[str, list[str]]:
    """Every class of the package that may be an error, with the names of its bases."""
    found: dict[str, list[str]] = {}
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name] = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    return found


def drawn() -> dict[str, str]:
    """Each error of the docstring's tree, with the one above it."""
    above: dict[str, str] = {}
    way: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+) {2,}\S", line)
        if match:
            depth = len(match[1]) // 4
            way[depth:] = [match[2]]
            above[match[2]] = way[depth - 1] if depth else "Exception"
    return above


def test_the_tree_that_is_drawn_is_the_tree_that_there_is() -> None:
    bases = bases_in_the_source()
    tree = {"LfrError": "Exception"}
    while more := {name: own[0] for name, own in bases.items() if own and own[0] in tree}.items() - tree.items():
        tree |= dict(more)
    assert drawn() == tree


def test_no_error_is_outside_the_tree() -> None:
    bases = bases_in_the_source()
    builtin = {name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)}
    assert {name for name, own in bases.items() if set(own) & builtin} == {"LfrError", "Stopped"}


@pytest.mark.parametrize(
    ("problem", "remedy", "sentence"),
    [("It is broken.", "Mend it.", "It is broken. Mend it."), ("It is broken.", "", "It is broken."), ("", "", "")],
)
def test_an_error_reads_as_what_is_wrong_and_what_to_do(problem: str, remedy: str, sentence: str) -> None:
    error = SourceRefused(problem, remedy)
    assert isinstance(error, LfrError)
    assert (str(error), error.problem, error.remedy) == (sentence, problem, remedy)


def test_an_error_of_a_file_names_it_and_says_why_and_holds_the_cause() -> None:
    cause = OSError(errno.ENOSPC, "No space left on device")
    error = FileError(Path("/state/tally.json"), "written", cause, "Free the disk.")
    assert str(error) == "/state/tally.json cannot be written: No space left on device. Free the disk."
    assert error.problem == "/state/tally.json cannot be written: No space left on device."
    assert error.cause.errno == errno.ENOSPC
    assert FileError(Path("/x"), "written", OSError("odd")).problem == "/x cannot be written: odd."
    assert FileError(Path("/x"), "written", OSError()).problem == "/x cannot be written: OSError."


def test_what_was_refused_without_a_remedy_gets_the_usual_one() -> None:
    assert "give this user access" in FileError(Path("/x"), "written", PermissionError(1, "No")).remedy
    assert "other process" in FileLocked(Path("/x"), "locked", BlockingIOError(11, "No")).remedy
