"""What `lfr --help` teaches: every command, in the order of a deployment's life."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from appliance import cli
from appliance.cli.commands import PANELS, InOrder, register


@pytest.fixture(scope="module")
def application() -> Any:
    made = typer.Typer(cls=InOrder, rich_markup_mode="rich", help=cli.app.info.help, context_settings=cli.CONTEXT)
    register(made)
    return made


def test_help_shows_every_command_in_the_order_of_a_deployments_life(application: Any) -> None:
    shown = CliRunner().invoke(application, ["--help"], env={"COLUMNS": "100"}).output
    lines = [line.strip("│ ").split("  ")[0] for line in shown.splitlines()]
    known = [name for names in PANELS.values() for name in names]
    assert [line for line in lines if line in known] == known
    assert [panel for panel in PANELS if panel in shown] == list(PANELS)


def test_every_option_of_every_command_is_explained(application: Any) -> None:
    def unexplained(command: Any, path: str) -> Iterator[Any]:
        for name, part in getattr(command, "commands", {}).items():
            yield from unexplained(part, f"{path} {name}")
        if not command.help:
            yield path
        for parameter in command.params:
            if not getattr(parameter, "help", None):
                yield f"{path} {parameter.name}"

    assert list(unexplained(typer.main.get_command(application), "lfr")) == []
