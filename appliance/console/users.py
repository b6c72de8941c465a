"""Who may sign in, with which role, and what each role may do.

The file is JSON, mode 0600, replaced atomically; passwords are kept as argon2id hashes only.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import SecretError
from appliance.core.files import locked, make_folder, write_private

Role = Literal["operator", "engagement", "supervisor", "viewer"]
ROLES: tuple[str, ...] = get_args(Role)

Permission = Literal[
    "live", "alerts", "history", "export", "undo_any", "taken", "operator", "passed_on", "engagement", "outcome"
]

PERMISSIONS: dict[str, frozenset[Permission]] = {
    "viewer": frozenset({"live", "alerts", "history"}),
    "operator": frozenset({"live", "alerts", "history", "taken", "operator", "passed_on", "outcome"}),
    "engagement": frozenset({"engagement", "outcome"}),
    "supervisor": frozenset(
        {
            *("live", "alerts", "history", "export", "undo_any"),
            *("taken", "operator", "passed_on", "engagement", "outcome"),
        }
    ),
}
"""What each role may do.

=============  ======  ==========  ===========  ==========
               viewer  operator    engagement   supervisor
=============  ======  ==========  ===========  ==========
live view      yes     yes         –            yes
alerts         all     all         passed on    all
history        yes     yes         –            yes
take, match    –       yes         –            yes
pass on        –       yes         –            yes
engage or not  –       –           yes          yes
outcome        –       yes         yes          yes
undo           –       own         own          anybody's
export         –       –           –            yes
=============  ======  ==========  ===========  ==========
"""

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 256
MAX_USERS = 200
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_'@")


@dataclass(frozen=True, slots=True)
class User:
    """One person who may sign in.

    Attributes
    ----------
    name
        Signs in with it, and appears with every decision; lower case.
    role
        One of `ROLES`.
    password
        An argon2id hash in PHC form (RFC 9106 parameters in it), never the password.
    added_at
        When the record was made, UTC.
    """

    name: str
    role: str
    password: str
    added_at: str = ""

    def __repr__(self) -> str:
        return f"User(name={self.name!r}, role={self.role!r})"

    def may(self, permission: Permission) -> bool:
        """Whether the role allows it."""
        return permission in PERMISSIONS.get(self.role, frozenset())


def clean_name(name: str) -> str:
    """The name as it is kept: lower case, without spaces around it.

    Raises
    ------
    SecretError
        When it is empty, too long or holds other characters than letters, digits and `. - _ ' @`.
    """
    name = name.strip().lower()
    if not 0 < len(name) <= 64 or not set(name) <= _NAME_CHARACTERS or not name[0].isalnum():
        raise SecretError(
            f"{name[:64]!r} cannot be a user's name.", "Use up to 64 letters, digits and . - _ ' @, a letter first."
        )
    return name


class UserFile:
    """The users of one console, read again whenever the file has changed.

    Parameters
    ----------
    path
        The JSON file; it need not exist yet.
    hasher
        How passwords are hashed; argon2id with the library's current defaults.
    """

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self.path = path
        self._hasher = hasher or PasswordHasher()
        self._dummy = self._hasher.hash(os.urandom(16))
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    def all(self) -> dict[str, User]:
        """Everybody, by name; empty when there is no file.

        Raises
        ------
        SecretError
            When the file is readable by others, or is not what `lfr users` wrote.
        """
        with self._lock:
            try:
                state = self.path.stat()
            except FileNotFoundError:
                self._seen, self._users = None, {}
                return {}
            except OSError as error:
                raise SecretError(f"{self.path} cannot be read: {error.strerror}.") from None
            key = (state.st_mtime_ns, state.st_size, state.st_ino)
            if key != self._seen:
                if stat.S_IMODE(state.st_mode) & 0o077:
                    raise SecretError(f"{self.path} can be read by others.", f"Run: chmod 600 {self.path}")
                self._users = self._read()
                self._seen = key
            return dict(self._users)

    def get(self, name: str) -> User | None:
        """One user, or None."""
        return self.all().get(name)

    def check(self, name: str, password: str) -> User | None:
        """The user whose name and password these are, else None; takes as long for an unknown name."""
        with contextlib.suppress(SecretError):
            name = clean_name(name)
        user = self.get(name)
        try:
            self._hasher.verify(user.password if user else self._dummy, password[: MAX_PASSWORD_CHARACTERS + 1])
        except (VerificationError, InvalidHashError):
            return None
        return user

    def add(self, name: str, role: str, password: str, *, replace: bool = False) -> User:
        """Add one user, or with `replace` change their role and password.

        Raises
        ------
        SecretError
            For a name that exists or is not one, an unknown role, or a password that is too short.
        """
        name = clean_name(name)
        if role not in ROLES:
            raise SecretError(f"{role!r} is not a role.", f"Choose one of {', '.join(ROLES)}.")
        if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
            raise SecretError(
                f"The password has {len(password)} characters; it needs {MIN_PASSWORD_CHARACTERS} "
                f"to {MAX_PASSWORD_CHARACTERS}.",
                "Three or four words that do not belong together are good.",
            )
        if name in password.lower():
            raise SecretError("The password contains the user's name.", "Choose another.")
        with self._changing() as users:
            if name in users and not replace:
                raise SecretError(f"There is a user {name!r} already.", "Add --replace to set a new password or role.")
            if len(users) >= MAX_USERS and name not in users:
                raise SecretError(f"There are {MAX_USERS} users already.", "Remove those who have left.")
            users[name] = User(name, role, self._hasher.hash(password), utc_text(utc_now()))
            return users[name]

    def remove(self, name: str) -> None:
        """Take one user away; their sessions end at their next request.

        Raises
        ------
        SecretError
            When there is no such user.
        """
        name = clean_name(name)
        with self._changing() as users:
            if users.pop(name, None) is None:
                raise SecretError(f"There is no user {name!r}.", "lfr users list shows who there is.")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, User]]:
        """Change the users under a lock that other processes honour too; written only when nothing was raised."""
        make_folder(self.path.parent)
        with locked(self.path.with_suffix(".lock")):
            users = self.all()
            yield users
            self._write(users)

    def _read(self) -> dict[str, User]:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            users = [User(**item) for item in document["users"]]
        except (OSError, ValueError, KeyError, TypeError):
            raise SecretError(
                f"{self.path} is not a file of users.", "Put it aside and add the users again with lfr users add."
            ) from None
        return {user.name: user for user in users}

    def _write(self, users: dict[str, User]) -> None:
        text = json.dumps({"v": 1, "users": [asdict(users[name]) for name in sorted(users)]}, indent=1) + "\n"
        write_private(self.path, text.encode())
