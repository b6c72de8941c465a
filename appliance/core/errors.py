"""Every error that the appliance raises on purpose.

LfrError                    what the command line prints as one sentence (exit code 1)
├── ConfigError             the configuration file: names file, key, given, allowed
├── ModelError              a model file is missing, altered, or does not do what its manifest entry says
│   └── ProviderError       the execution provider that was asked for by name does not run
├── SourceError             a camera's source cannot be opened or read; it may come back
│   ├── SourceRefused       the camera refuses user and password; tried again slowly, as it may be set up anew
│   └── SourceUnusable      it never will: wrong scheme or option, missing file, nothing in it
├── WatchlistError          a watchlist cannot be built, opened or trusted
├── AuthorityError          the deployment's record does not allow recognition
├── AuditError              the audit record cannot be written, or refuses what it was given
├── JournalError            the journal cannot be read or written
├── StreamError             the hub cannot be reached, or answered with a refusal
│   ├── UnknownAlert        no such alert in the journal
│   ├── DecisionConflict    somebody else decided first
│   └── RequestRefused      the hub answered that it will not do this; asking again is useless
└── SecretError             a key file is missing, readable by others, or not a key
"""

from __future__ import annotations

from typing import Any


class LfrError(Exception):
    """What went wrong and what to do about it, in one plain sentence that may be shown to a user.

    Parameters
    ----------
    problem
        What is wrong, naming the thing (file, key, camera).
    remedy
        What the reader can do about it; empty when `problem` says it already.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy


class ConfigError(LfrError):
    """The configuration is unreadable or holds a value that is not allowed."""


class ModelError(LfrError):
    """A model file is missing, altered, or does not do what its manifest entry says."""


class ProviderError(ModelError):
    """The execution provider that was asked for by name does not run here."""


class SourceError(LfrError):
    """A source cannot be opened or read now; a live source is tried again."""


class SourceRefused(SourceError):
    """A camera answered and refuses user and password; it is tried again slowly, so that it does not lock us out."""


class SourceUnusable(SourceError):
    """A source will never work as configured; trying again is useless."""


class WatchlistError(LfrError):
    """A watchlist cannot be built, opened or trusted."""


class AuthorityError(LfrError):
    """The deployment's record does not allow recognition now."""


class AuditError(LfrError):
    """The audit record cannot be read or written, or refuses what it was given."""


class ActRefused(AuditError):
    """The audit record knows no such act, or its details do not fit; the sentence names the act and the field."""


class JournalError(LfrError):
    """The journal cannot be opened, read or written."""


class StreamError(LfrError):
    """The hub cannot be reached, or refused what it was asked."""


class UnknownAlert(StreamError):
    """The journal holds no alert of that id."""


class DecisionConflict(StreamError):
    """A decision of that kind stands already; it must be undone before another can be made.

    Parameters
    ----------
    standing
        The decision that stands (`alerts.messages.Decision`), when the hub or the journal named it.
    """

    def __init__(self, problem: str, remedy: str = "", standing: Any = None) -> None:
        super().__init__(problem, remedy)
        self.standing = standing


class RequestRefused(StreamError):
    """The hub answered that what it was asked is not allowed or not well formed; asking again is useless."""


class SecretError(LfrError):
    """A key or password file is missing, readable by others, or not what it should be."""
