"""Every error that the appliance raises on purpose: caught by its type, its sentence is for people only.

LfrError                    what the command line prints as one sentence (exit code 1)
├── ConfigError             the configuration file: names file, key, given, allowed
├── FileError               a file or folder of the appliance cannot be written, locked or removed
│   └── FileLocked          another process holds the lock
├── ModelError              a model file is missing, altered, or does not do what its manifest entry says
│   └── ProviderError       the execution provider that was asked for by name does not run
├── SourceError             a camera's source cannot be opened or read; it may come back
│   ├── SourceRefused       the camera refuses user and password; tried again slowly, as it may be set up anew
│   └── SourceUnusable      it never will: wrong scheme or option, missing file, nothing in it
├── Unreadable              a photo is no picture that can be used (vision.decode)
├── WatchlistError          a watchlist cannot be built, opened or trusted
│   └── ManifestError       all that is wrong with the manifest of photos that a list is built from (enrolment.manifest)
├── AuthorityError          the deployment's record does not allow recognition
├── AuditError              the audit record cannot be written
│   ├── ActRefused          it knows no such act, or the act's details do not fit
│   └── AuditQueueFull      too many acts wait for it, so that nothing more may be shown (console.audit_queue)
├── JournalError            the journal cannot be read or written
├── StreamError             the hub cannot be reached, or answered with a refusal
│   ├── MessageRefused      a message that the hub or a reader does not take, and why (stream.wire)
│   ├── UnknownAlert        no such alert in the journal
│   ├── DecisionConflict    somebody else decided first
│   └── RequestRefused      the hub answered that it will not do this; asking again is useless
├── ProcessLost             a process that was to do one thing ended before it had (supervision.own_process)
├── RequestDenied           what the console answers a browser instead of what it asked for (console.request_guard)
├── SignInRefused           nobody is let in to the console (console.signin)
│   └── TooManyAttempts     this name or address has to wait before it may try again
└── SecretError             a key file is missing, readable by others, or not a key

An error that one room alone raises is defined there. `supervision.loop.Stopped` is no error but a signal's way out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar


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


class FileError(LfrError):
    """A file or folder of the appliance cannot be written, locked or removed.

    Parameters
    ----------
    path
        The file.
    what
        What it cannot be: written, locked, destroyed.
    cause
        Why; kept as `cause`.
    """

    usual_remedy: ClassVar[str] = "Make room, or give this user access to it, then try again."

    def __init__(self, path: Path, what: str, cause: OSError, remedy: str = "") -> None:
        super().__init__(f"{path} cannot be {what}: {reason_of(cause)}.", remedy or self.usual_remedy)
        self.path = path
        self.cause = cause


class FileLocked(FileError):
    """Another process holds the lock of a file."""

    usual_remedy = "Wait until the other process is done."


def reason_of(error: OSError | FileError) -> str:
    """Why the system refused, as it says it: `No space left on device`."""
    cause = error.cause if isinstance(error, FileError) else error
    return cause.strerror or str(cause) or type(cause).__name__


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
