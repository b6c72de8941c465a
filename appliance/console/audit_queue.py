"""Acts on their way to the audit record, which the hub keeps: sent at once, kept for a while when it is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from appliance.audit.acts import act_of
from appliance.core.clock import utc_now
from appliance.core.errors import AuditError, RequestRefused, StreamError

MAX_WAITING = 500
RETRY_S = 1.0

Act = dict[str, Any]
Send = Callable[[Act], Awaitable[None]]

log = structlog.get_logger(__name__)


def new_act(code: str, by: str, **details: object) -> Act:
    """An act for the audit record, as of now."""
    return {"act": code, "by": by[:64] or "nobody", "details": act_of(code, {"when": utc_now(), **details}).as_json()}


class AuditQueueFull(AuditError):
    """So many acts wait for the audit record that nothing more may be shown."""

    def __init__(self) -> None:
        super().__init__("Nothing more can be shown: the audit record has been out of reach for too long.")


class AuditQueue:
    """A bounded queue of acts, emptied in order.

    What may be refused (the view of a picture) is refused once `MAX_WAITING` acts wait; what has happened anyway (a
    failed sign-in) then pushes out nothing: it is counted in `lost` and said in the log.

    Parameters
    ----------
    send
        Hands one act to the hub; raises `StreamError` while it cannot.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[Act] = deque()
        self._wake = asyncio.Event()
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Acts that the audit record does not hold yet."""
        return len(self._waiting)

    def add_or_refuse(self, act: Act) -> None:
        """Record an act that may be refused.

        Raises
        ------
        AuditQueueFull
            When too many wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise AuditQueueFull()
        self._waiting.append(act)
        self._wake.set()

    def add(self, act: Act) -> None:
        """Record an act that has happened already."""
        if len(self._waiting) >= 2 * MAX_WAITING:
            self._lose(act, "too many wait already")
            return
        self._waiting.append(act)
        self._wake.set()

    def _lose(self, act: Act, why: str) -> None:
        self.lost += 1
        log.error("an act could not be kept for the audit record", act=act.get("act"), reason=why, lost=self.lost)

    async def run(self) -> None:
        """Send for ever; cancel to end."""
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            try:
                act = self._waiting[0]
                await self._send(act)
            except RequestRefused as error:
                # It would be refused again, and hold up every act behind it.
                self._waiting.popleft()
                self._lose(act, str(error))
            except StreamError as error:
                log.warning("the audit record cannot be reached", waiting=self.waiting, reason=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self._waiting.popleft()

    async def drain(self, timeout_s: float) -> None:
        """Give what waits a last chance to leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._waiting:
                    await asyncio.sleep(0.02)
        if self._waiting:
            log.error("acts did not reach the audit record before the end", acts=self.waiting)
