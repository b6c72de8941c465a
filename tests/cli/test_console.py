"""`lfr console` and `lfr users`: what a person types, and what is left on the disk and in the audit record."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from argon2 import PasswordHasher
from typer.testing import CliRunner

from appliance.audit.record import AuditRecord
from appliance.cli import console as commands
from appliance.console import server
from appliance.console import users as users_module
from appliance.console.settings import ConsoleSettings
from appliance.console.users import UserFile
from appliance.core.errors import ConfigError, SecretError

GOOD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that costs next to nothing: what it costs is not what is tested here."""
    quick = functools.partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(users_module, "PasswordHasher", quick)


@pytest.fixture
def config(tmp_path: Path) -> Any:
    document = {
        "deployment": {"id": "d-1", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T15:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
    }
    path = tmp_path / "van.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def run(*arguments: Any, given: Any = "") -> Any:
    return CliRunner().invoke(commands.users_app, [str(part) for part in arguments], input=given)


def test_a_user_is_added_listed_and_removed_and_each_act_is_recorded(config: Any) -> None:
    added = run("add", "Anna", "-c", config, "--role", "operator", "--password-stdin", given=GOOD + "\n")
    assert added.exit_code == 0, added.output
    assert GOOD not in added.output
    listed = json.loads(run("list", "-c", config, "--json").output)
    assert [(user["name"], user["role"]) for user in listed] == [("anna", "operator")]
    assert run("remove", "anna", "-c", config).exit_code == 0
    assert json.loads(run("list", "-c", config, "--json").output) == []
    acts = [record.act for record in AuditRecord(config.parent / "state").records()]
    assert acts == ["user.added", "user.removed"]


def test_the_password_is_asked_for_twice_and_not_shown(config: Any) -> None:
    asked = run("add", "anna", "-c", config, "--role", "viewer", given=f"{GOOD}\n{GOOD}\n")
    assert asked.exit_code == 0, asked.output
    assert GOOD not in asked.output


def test_an_unknown_role_is_refused_before_a_password_is_asked_for(config: Any) -> None:
    refused = run("add", "anna", "-c", config, "--role", "chief")
    assert isinstance(refused.exception, SecretError)
    assert "operator" in str(refused.exception)


def test_an_empty_list_says_how_to_add_somebody(config: Any) -> None:
    assert "lfr users add" in run("list", "-c", config).output


def test_the_list_for_people_is_a_table_with_role_and_date_and_no_hash(config: Any) -> None:
    run("add", "anna", "-c", config, "--role", "supervisor", "--password-stdin", given=GOOD + "\n")
    told = run("list", "-c", config).stdout
    added_at = json.loads(run("list", "-c", config, "--json").stdout)[0]["added_at"]
    row = next(line for line in told.splitlines() if "anna" in line)
    assert "supervisor" in row
    assert added_at in row
    assert "argon2" not in told


def test_a_user_there_is_changes_only_with_replace(config: Any) -> None:
    again = ("add", "anna", "-c", config, "--password-stdin", "--role")
    assert run(*again, "viewer", given=GOOD + "\n").exit_code == 0
    refused = run(*again, "operator", given=GOOD + "\n")
    assert isinstance(refused.exception, SecretError)
    assert "--replace" in refused.exception.remedy
    assert "anna may sign in as operator." in run(*again, "operator", "--replace", given=GOOD + "\n").stdout
    assert [user["role"] for user in json.loads(run("list", "-c", config, "--json").stdout)] == ["operator"]


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "has 0 characters"), ("x" * 11 + "\n", "has 11 characters"), ("x" * 257 + "\n", "has 257 characters"),
     ("Anna's own password\n", "contains the user's name")],
)  # fmt: skip
def test_a_password_that_is_not_allowed_leaves_neither_user_nor_record(config: Any, given: str, said: str) -> None:
    refused = run("add", "anna", "-c", config, "--role", "viewer", "--password-stdin", given=given)
    assert isinstance(refused.exception, SecretError)
    assert said in str(refused.exception)
    assert json.loads(run("list", "-c", config, "--json").stdout) == []
    assert list(AuditRecord(config.parent / "state").records()) == []


@pytest.mark.parametrize("length", [12, 256])
def test_the_shortest_and_the_longest_password_are_taken_whole(config: Any, length: int) -> None:
    password = "x" * length
    assert (
        run("add", "anna", "-c", config, "--role", "viewer", "--password-stdin", given=f"{password}\r\n").exit_code == 0
    )
    users = UserFile(config.parent / "state" / "users.json")
    assert users.check("anna", password) is not None
    assert users.check("anna", password[:-1]) is None


def test_two_passwords_that_differ_add_nobody(config: Any) -> None:
    asked = run("add", "anna", "-c", config, "--role", "viewer", given=f"{GOOD}\n{GOOD}!\n")
    assert asked.exit_code == 1
    assert json.loads(run("list", "-c", config, "--json").stdout) == []


def test_a_name_that_cannot_be_one_is_refused_before_a_password_is_asked_for(config: Any) -> None:
    refused = run("add", "Anna Maria", "-c", config, "--role", "viewer")
    assert isinstance(refused.exception, SecretError)
    assert "cannot be a user's name" in str(refused.exception)
    assert "Password" not in refused.output


def test_removing_somebody_who_is_not_there_is_an_error_and_no_act(config: Any) -> None:
    refused = run("remove", "bob", "-c", config)
    assert isinstance(refused.exception, SecretError)
    assert "no user 'bob'" in str(refused.exception)
    assert list(AuditRecord(config.parent / "state").records()) == []


def test_role_and_configuration_must_be_named(config: Any) -> None:
    assert run("add", "anna", "-c", config).exit_code == 2
    assert run("list").exit_code == 2


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ConsoleSettings]:
    """What was served, by a server that opens and is stopped at once."""
    asked: list[ConsoleSettings] = []

    def serve(settings: ConsoleSettings, opened: Callable[[], None]) -> None:
        asked.append(settings)
        opened()

    monkeypatch.setattr(server, "serve", serve)
    return asked


def whole(*arguments: Any) -> Any:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, [str(part) for part in arguments])


def test_the_console_alone_says_where_it_is_and_that_nobody_can_sign_in_yet(
    config: Any, served: list[ConsoleSettings]
) -> None:
    told = whole("console", "-c", config)
    assert told.exit_code == 0, told.output
    assert told.stdout == "", "standard output is for machines"
    assert f"Add somebody: lfr users add NAME --role operator -c {config}\n" in told.stderr
    assert "The console is at http://127.0.0.1:8080/" in told.stderr
    assert [(one.deployment, one.users_file) for one in served] == [("d-1", config.parent / "state" / "users.json")]
    assert whole("users", "add", "anna", "-c", config, "--role", "viewer").exit_code == 1, "no password was given"
    run("add", "anna", "-c", config, "--role", "viewer", "--password-stdin", given=GOOD + "\n")
    assert "Nobody" not in whole("console", "-c", config).stderr


def test_brackets_in_a_path_are_shown_as_they_are(config: Path, served: list[ConsoleSettings]) -> None:
    other = config.rename(config.with_name("van[red].yaml"))
    assert f"-c {other}\n" in whole("console", "-c", other).stderr
    assert len(served) == 1


def test_a_console_whose_configuration_is_missing_is_not_served(tmp_path: Path, served: list[ConsoleSettings]) -> None:
    refused = whole("console", "-c", tmp_path / "none.yaml")
    assert isinstance(refused.exception, ConfigError)
    assert "none.yaml" in str(refused.exception)
    assert served == []
