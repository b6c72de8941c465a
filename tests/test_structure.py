"""The house keeps its shape: imports point downward, and only the vision room knows onnxruntime."""

import ast
from pathlib import Path

import pytest

import appliance

ROOT = Path(appliance.__file__).parent
# From the lowest room to the highest; a room may import those before it, and itself.
LAYERS = [
    "core",
    "config",
    "security",
    "audit",
    "vision",
    "gallery",
    "alerts",
    "enrolment",
    "stream",
    "camera",
    "deployment",
    "supervision",
    "console",
    "doctor",
    "lab",
    "cli",
]


def room_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def imports_of(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    return modules


MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    here = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert here in LAYERS, f"{here} is a room that the list of layers does not know"
    allowed = set(LAYERS[: LAYERS.index(here) + 1]) | {""}
    rooms = {room_of(module) for module in imports_of(path) if module.split(".")[0] == "appliance"}
    upward = {room for room in rooms if room in LAYERS} - allowed
    assert not upward


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_vision_room_imports_onnxruntime(path: Path) -> None:
    knows = any(module.split(".")[0] == "onnxruntime" for module in imports_of(path))
    assert not knows or path.parent == ROOT / "vision"


def test_no_module_has_grown_beyond_one_sitting() -> None:
    long = {str(path.relative_to(ROOT)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 480}
    assert not long


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {".".join(("appliance", *path.relative_to(ROOT).with_suffix("").parts)): path for path in MODULES}
    arrows = {name: imports_of(path) & names.keys() - {name} for name, path in names.items()}
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' → '.join((*way, name))}"
        if name not in done:
            for other in sorted(arrows[name]):
                walk(other, (*way, name))
            done.add(name)

    for name in sorted(names):
        walk(name, ())
