"""A user's change and its act go together; what was refused is no act."""

from pathlib import Path
from typing import Any

import pytest

from appliance.audit.record import AuditRecord
from appliance.config import live as configuration
from appliance.console.user_changes import add_user, remove_user
from appliance.console.users import UserFile
from appliance.core.errors import SecretError

GOOD = "correct horse battery"


@pytest.fixture
def config(tmp_path: Path) -> Any:
    document = {
        "deployment": {"id": "d-1", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T15:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
    }
    return configuration.parse(document, tmp_path / "van.yaml")


def acts(config: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one.act, one.by, one.details) for one in AuditRecord(config.alerts.state_dir).records()]


def test_adding_changing_and_removing_are_recorded_with_who_did_it_and_never_the_password(config: Any) -> None:
    assert add_user(config, "Anna", "viewer", GOOD, by="root").name == "anna"
    add_user(config, "anna", "operator", GOOD + "!", by="root", replace=True)
    assert remove_user(config, "ANNA", by="chief") == "anna"
    assert acts(config) == [
        ("user.added", "root", {"user": "anna", "role": "viewer"}),
        ("user.added", "root", {"user": "anna", "role": "operator"}),
        ("user.removed", "chief", {"user": "anna"}),
    ]
    assert UserFile(config.users_file).all() == {}
    assert GOOD not in AuditRecord(config.alerts.state_dir).path.read_text()


@pytest.mark.parametrize(
    ("name", "role", "password"), [("anna", "chief", GOOD), ("anna", "viewer", "short"), ("a b", "viewer", GOOD)]
)
def test_what_is_refused_is_neither_kept_nor_recorded(config: Any, name: str, role: str, password: str) -> None:
    with pytest.raises(SecretError):
        add_user(config, name, role, password, by="root")
    assert UserFile(config.users_file).all() == {}
    assert not AuditRecord(config.alerts.state_dir).path.exists()


def test_somebody_who_is_not_there_is_not_removed(config: Any) -> None:
    with pytest.raises(SecretError, match="no user 'nobody'"):
        remove_user(config, "nobody", by="root")
    assert not AuditRecord(config.alerts.state_dir).path.exists()
