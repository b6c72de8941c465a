"""Adds and removes users of the console, each change an act in the audit record."""

from __future__ import annotations

from appliance.audit.act import Act
from appliance.audit.acts import UserAdded, UserRemoved
from appliance.audit.record import AuditRecord
from appliance.config.live import Config
from appliance.console.users import User, UserFile, clean_name


def add_user(config: Config, name: str, role: str, password: str, *, by: str, replace: bool = False) -> User:
    """Add somebody, or with `replace` change their role and password.

    Parameters
    ----------
    by
        Who does this.

    Raises
    ------
    SecretError
        Name, role or password is not allowed, or the name is taken.
    """
    added = UserFile(config.users_file).add(name, role, password, replace=replace)
    _record(config, UserAdded(user=added.name, role=added.role), by)
    return added


def remove_user(config: Config, name: str, *, by: str) -> str:
    """Take somebody away; the name as it was kept.

    Raises
    ------
    SecretError
        There is no such user.
    """
    UserFile(config.users_file).remove(name)
    _record(config, UserRemoved(user=clean_name(name)), by)
    return clean_name(name)


def _record(config: Config, act: Act, by: str) -> None:
    AuditRecord(config.alerts.state_dir).append(act, by)
