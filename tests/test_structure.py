"""The house keeps its shape: what its code says, and what really is imported when it runs.

Imports and the names of modules in strings point downward only, only the vision room knows onnxruntime, modules and
lists of parameters stay short enough to be read at one sitting, and every module has its test.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import appliance
from appliance.cli import commands
from appliance.core.reference import find

ROOT = Path(appliance.__file__).parent
TESTS = Path(__file__).parent
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
LONGEST_MODULE = 400
MOST_PARAMETERS = 6
NAMED_MODULE = re.compile(r"appliance((?:\.\w+)+)(:[\w.]+)?")
# Tests that belong to no module: whole lives, one suite for several engines, and what the tests share.
WITHOUT_MODULE = {"congruence", "docs", "support", "system"}


def room_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def imports_of(tree: ast.Module) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    return modules


def named_in_strings(tree: ast.Module) -> set[str]:
    """Strings that are nothing but the name of a module of ours, or of a thing in one."""
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if NAMED_MODULE.fullmatch(text)}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return ".".join(("appliance", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in LAYERS)
every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


def upward(path: Path, modules: set[str]) -> set[str]:
    """Those of the modules that are in rooms above that of the file."""
    here = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert here in LAYERS, f"{here} is a room that the list of layers does not know"
    above = set(LAYERS[LAYERS.index(here) + 1 :])
    return {module for module in modules if module.split(".")[0] == "appliance" and room_of(module) in above}


@every_module
def test_imports_point_downward(path: Path) -> None:
    assert not upward(path, imports_of(parsed(path)))


@every_module
def test_modules_named_in_strings_are_below_too_and_exist(path: Path) -> None:
    named = named_in_strings(parsed(path))
    assert not upward(path, {text.partition(":")[0] for text in named})
    for text in named:
        if ":" in text:
            find(text)


@pytest.mark.parametrize("room", LAYERS)
def test_a_room_runs_without_those_above_it(room: str) -> None:
    """A fresh interpreter imports all of the room's modules; lazy imports and `__init__` files cannot hide from it."""
    modules = [name_of(path) for path in MODULES if room_of(name_of(path)) == room]
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *modules], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    above = LAYERS[LAYERS.index(room) + 1 :]
    there = {name for name in done.stdout.split() if name.startswith("appliance.")}
    assert {name_of(path) for path in MODULES if room_of(name_of(path)) == room} <= there
    assert not {name for name in there if room_of(name) in above}


def test_the_supervisor_imports_nothing_that_only_the_processes_it_starts_need() -> None:
    program = (
        "import sys, appliance.supervision.supervisor, appliance.supervision.live_deployment, "
        "appliance.console.worker, appliance.lab.simulation.sources\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    heavy = {
        "uvicorn",
        "starlette",
        "hnswlib",
        "appliance.console.server",
        "appliance.camera.process",
        "appliance.stream.hub",
        "appliance.lab.simulation.street",
    }
    assert not heavy & set(done.stdout.split())


@every_module
def test_only_the_vision_room_imports_onnxruntime(path: Path) -> None:
    knows = any(module.split(".")[0] == "onnxruntime" for module in imports_of(parsed(path)))
    assert not knows or path.parent == ROOT / "vision"


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package is above the modules in it: that they make it be imported as well is no circle.
    names = {name_of(path): path for path in MODULES if path.stem != "__init__"}
    arrows = {name: imports_of(parsed(path)) & names.keys() - {name} for name, path in names.items()}
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' → '.join((*way, name))}"
        if name not in done:
            for other in sorted(arrows[name]):
                walk(other, (*way, name))
            done.add(name)

    for name in sorted(names):
        walk(name, ())


def test_no_module_has_grown_beyond_one_sitting() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = [f"{path.relative_to(ROOT)}: {count} lines" for path, count in lines.items() if count > LONGEST_MODULE]
    assert not long, "\n" + "\n".join(long)


def commands_of(app: typer.Typer) -> Iterator[Any]:
    """The functions behind an application's commands and those of its groups."""
    yield from (command.callback for command in app.registered_commands)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from commands_of(group.typer_instance)
    if app.registered_callback is not None:
        yield app.registered_callback.callback


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    """How many, `self` and `cls` aside."""
    given = function.args
    names = [parameter.arg for parameter in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    stars = (given.vararg is not None) + (given.kwarg is not None)
    return len(names) + stars - (names[:1] in (["self"], ["cls"]))


def test_no_function_takes_more_than_anybody_can_keep_in_mind() -> None:
    """Dataclasses have no `__init__` that is written out; a command's parameters are its options."""
    app = typer.Typer()
    commands.register(app)
    options = {
        (Path(callback.__code__.co_filename), callback.__name__)
        for callback in commands_of(app)
        if callback is not None
    }
    many = []
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                name = getattr(node, "name", "lambda")
                count = parameters_of(node)
                if count > MOST_PARAMETERS and (path, name) not in options:
                    many.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}: {count} parameters")
    assert not many, "\n" + "\n".join(many)


def wanted_tests() -> dict[Path, Path]:
    """Where each module's test is to be."""
    return {
        path: TESTS / path.relative_to(ROOT).with_name(f"test_{path.stem}.py")
        for path in MODULES
        if not path.stem.startswith("__")
    }


def test_every_module_has_a_test_of_its_own_name() -> None:
    missing = [str(path.relative_to(ROOT)) for path, test in wanted_tests().items() if not test.exists()]
    assert not missing, f"{len(missing)} modules have none:\n" + "\n".join(missing)


def test_every_test_has_its_module() -> None:
    tests = {path for path in TESTS.rglob("test_*.py") if path.relative_to(TESTS).parts[0] not in WITHOUT_MODULE}
    lost = sorted(str(path.relative_to(TESTS)) for path in tests - set(wanted_tests().values()) - {Path(__file__)})
    assert not lost, "\n" + "\n".join(lost)
