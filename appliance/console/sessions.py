"""Who is signed in, and who has tried too often: both only in memory, both bounded."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.console.users import User

MAX_SESSIONS = 500
MAX_TRIED = 4096
FREE_ATTEMPTS = 5
FREE_ATTEMPTS_OF_ADDRESS = 20
FIRST_LOCK_S = 30.0
LONGEST_LOCK_S = 900.0
FORGET_S = 3600.0

Clock = Callable[[], float]


@dataclass(slots=True)
class Session:
    """One signed-in browser.

    Attributes
    ----------
    token
        256 random bits, known to that browser's cookie only.
    csrf
        256 random bits that the page sends with every change.
    user
        As the users file had them at sign-in; a change there ends the session.
    began_s, active_s
        On the monotonic clock: sign-in, and the last thing a person did.
    viewed
        Alerts whose view is in the audit record already.
    """

    token: str = field(repr=False)
    csrf: str = field(repr=False)
    user: User
    began_s: float
    active_s: float
    viewed: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)

    @property
    def short(self) -> str:
        """Tells sessions apart in the audit record, without being any use to anybody."""
        return hmac.new(self.token.encode(), b"short", "sha256").hexdigest()[:8]


class Sessions:
    """The signed-in browsers.

    Parameters
    ----------
    hours
        A session ends this long after the sign-in.
    idle_minutes
        And this long after the last thing a person did in it.
    """

    def __init__(self, hours: float = 8, idle_minutes: float = 60, clock: Clock = time.monotonic) -> None:
        self._lifetime_s = hours * 3600
        self._idle_s = idle_minutes * 60
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, user: User) -> Session:
        """A new session with new secrets; beyond `MAX_SESSIONS` the oldest one ends."""
        self._expire()
        now = self._clock()
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), user, now, now)
        self._sessions[session.token] = session
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def get(self, token: str) -> Session | None:
        """The session of a cookie, while it lasts."""
        session = self._sessions.get(token)
        if session is not None and self.seconds_left(session) <= 0:
            self.close(session)
            return None
        return session

    def touch(self, session: Session) -> None:
        """A person did something."""
        session.active_s = self._clock()

    def seconds_left(self, session: Session) -> float:
        """Until the session ends by itself, seconds."""
        now = self._clock()
        return min(session.began_s + self._lifetime_s, session.active_s + self._idle_s) - now

    def can_last(self, session: Session) -> bool:
        """Whether doing something now would put the end off; near the end of the session's hours it no longer does."""
        return session.began_s + self._lifetime_s > session.active_s + self._idle_s

    def alive(self, session: Session) -> bool:
        """Whether it still is a session."""
        return self.get(session.token) is session

    def close(self, session: Session) -> None:
        """End it."""
        self._sessions.pop(session.token, None)
        session.viewed.clear()

    def _expire(self) -> None:
        for session in [s for s in self._sessions.values() if self.seconds_left(s) <= 0]:
            self.close(session)


@dataclass(slots=True)
class _Tried:
    failures: int = 0
    locked_until_s: float = 0.0
    last_s: float = 0.0


class LockOut:
    """Slows down guessing: per user and per address, after some free attempts, twice as long each time.

    The wait is capped so that nobody can keep an officer out for a deployment by guessing on purpose.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._tried: OrderedDict[str, _Tried] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tried)

    def wait_s(self, user: str, address: str) -> float:
        """How long this user, or this address, must wait before another attempt counts; 0 for not at all."""
        now = self._clock()
        return max(
            0.0,
            *(self._tried[key].locked_until_s - now for key in self._keys(user, address) if key in self._tried),
            0.0,
        )

    def failed(self, user: str, address: str) -> float:
        """Count a failure; returns the wait that it caused, 0 for none."""
        now = self._clock()
        longest = 0.0
        for key, free in zip(self._keys(user, address), (FREE_ATTEMPTS, FREE_ATTEMPTS_OF_ADDRESS), strict=True):
            tried = self._tried.get(key) or _Tried()
            if now - tried.last_s > FORGET_S:
                tried = _Tried()
            tried.failures += 1
            tried.last_s = now
            over = tried.failures - free
            if over >= 0:
                wait = min(LONGEST_LOCK_S, FIRST_LOCK_S * 2 ** min(over, 10))
                tried.locked_until_s = now + wait
                longest = max(longest, wait)
            self._tried[key] = tried
            self._tried.move_to_end(key)
        while len(self._tried) > MAX_TRIED:
            self._tried.popitem(last=False)
        return longest

    def succeeded(self, user: str) -> None:
        """Forget this user's failures. The address's stay: its owner may have one account and guess at others."""
        self._tried.pop(self._keys(user, "")[0], None)

    @staticmethod
    def _keys(user: str, address: str) -> tuple[str, str]:
        return f"user {user.strip().lower()[:64]}", f"address {address[:64]}"
