"""What CONTRIBUTING.md tells a newcomer is true: the ten answers, the order of the rooms."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^\| [^|]+\? \| `([^`]+)` \(`(\w+)`\) \|$", TEXT, re.MULTILINE)


def test_there_are_ten_answers() -> None:
    assert len(ANSWERS) == 10


@pytest.mark.parametrize(("path", "name"), ANSWERS)
def test_the_answer_is_there(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    defined = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    assert name in defined


def test_the_order_of_the_rooms_is_the_one_that_the_structure_test_holds() -> None:
    structure = ast.parse((ROOT / "tests" / "test_structure.py").read_text(encoding="utf-8"))
    (layers,) = [
        ast.literal_eval(node.value)
        for node in structure.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS"
    ]
    order = re.findall(r"\w+", TEXT.split("also at run time:")[1].split("A room imports")[0])
    assert order == layers


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|docs|appliance)/[\w./]+)`", TEXT))))
def test_every_place_that_is_named_is_there(path: str) -> None:
    assert path in ("appliance/a/b.py", "tests/a/test_b.py") or (ROOT / path).exists()
