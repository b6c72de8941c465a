"""Users: kept safely, checked in constant ways, changed atomically."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from console_stage import QUICK

from appliance.console.users import PERMISSIONS, ROLES, User, UserFile
from appliance.core.errors import SecretError

GOOD = "correct horse battery"


@pytest.fixture
def users(tmp_path: Path) -> Any:
    return UserFile(tmp_path / "state" / "users.json", QUICK)


def test_a_user_signs_in_with_the_right_password_only(users: Any) -> None:
    users.add(" Anna ", "operator", GOOD)
    assert users.check("ANNA", GOOD).role == "operator"
    assert users.check("anna", GOOD + "x") is None
    assert users.check("nobody", GOOD) is None


def test_the_file_is_for_its_owner_and_holds_no_password(users: Any) -> None:
    users.add("anna", "operator", GOOD)
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    text = users.path.read_text()
    assert GOOD not in text
    assert json.loads(text)["users"][0]["password"].startswith("$argon2id$")


def test_a_file_that_others_can_read_is_refused(users: Any) -> None:
    users.add("anna", "operator", GOOD)
    users.path.chmod(0o644)
    with pytest.raises(SecretError, match="chmod 600"):
        UserFile(users.path, QUICK).all()


@pytest.mark.parametrize("content", ["", "{}", '{"users": [{"name": 1}]}', "[]"])
def test_a_damaged_file_is_named_not_guessed_at(users: Any, content: Any) -> None:
    users.path.parent.mkdir()
    users.path.write_text(content)
    users.path.chmod(0o600)
    with pytest.raises(SecretError, match=r"users\.json"):
        users.all()


@pytest.mark.parametrize(
    ("name", "role", "password", "says"),
    [
        ("anna", "operator", "short", "needs 12"),
        ("anna", "operator", "x" * 257, "256"),
        ("anna", "operator", "anna-anna-anna", "name"),
        ("anna", "chief", GOOD, "not a role"),
        ("../x", "operator", GOOD, "cannot be"),
        ("", "operator", GOOD, "cannot be"),
        ("a b", "operator", GOOD, "cannot be"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(users: Any, name: Any, role: Any, password: Any, says: Any) -> None:
    with pytest.raises(SecretError, match=says):
        users.add(name, role, password)
    assert users.all() == {}


def test_a_change_by_another_process_is_seen(users: Any) -> None:
    other = UserFile(users.path, QUICK)
    users.add("anna", "operator", GOOD)
    assert "anna" in other.all()
    other.remove("anna")
    assert users.all() == {}
    with pytest.raises(SecretError, match="no user"):
        users.remove("anna")


def test_a_user_is_replaced_only_when_asked(users: Any) -> None:
    users.add("anna", "operator", GOOD)
    with pytest.raises(SecretError, match="--replace"):
        users.add("anna", "viewer", GOOD)
    users.add("anna", "viewer", GOOD, replace=True)
    assert users.get("anna").role == "viewer"


def test_every_role_has_permissions_and_an_unknown_one_none() -> None:
    assert set(PERMISSIONS) == set(ROLES)
    assert not User("x", "chief", "").may("live")
    deciding = {"taken", "operator", "passed_on", "engagement", "outcome", "export", "undo_any"}
    assert not PERMISSIONS["viewer"] & deciding
    assert "operator" not in PERMISSIONS["engagement"]


def test_a_users_password_hash_is_not_in_its_repr(users: Any) -> None:
    assert "argon2" not in repr(users.add("anna", "operator", GOOD))
