"""Every act that is recorded: a model of its details each, found by the act's name.

Ids, counts and reasons, never a picture, a template or anything about a person who did not match. Writing is strict:
what has no model here, or does not fit its model, is refused. Lines of earlier versions are read as they are
(`audit.chain.parse` looks at their form only).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.audit.act import Act, Count, Ids, Name, PathText, Sentence, Sha256, StateAct, Text
from appliance.core.clock import Moment
from appliance.core.errors import ActRefused


class DeploymentOpen(StateAct):
    """The record of a deployment was taken up by this appliance."""

    names = ("deployment.open",)
    deployment: Name = Field(description="the deployment's id")
    authorised_by: Text = Field("", description="the officer who authorised it")


class DeploymentStart(StateAct):
    """Recognition started."""

    names = ("deployment.start",)
    deployment: Name = Field(description="the deployment's id")
    cameras: tuple[Name, ...] = Field((), max_length=64, description="the cameras that look")
    run: Name = Field("", description="names this start of the appliance")
    detector: Name = Field("", description="the detector in use, name@digest")
    embedder: Name = Field("", description="the embedder in use, name@digest")


class DeploymentStop(Act):
    """Recognition stopped, the deployment did not end."""

    names = ("deployment.stop",)
    why: Sentence = Field(description="why it stopped")


class DeploymentExtend(StateAct):
    """An officer authorised a later end."""

    names = ("deployment.extend",)
    deployment: Name = Field(description="the deployment's id")
    until: Moment = Field(description="the new end")
    rank: Text = Field(description="the officer's rank")
    reason: Text = Field(description="why it is extended")


class DeploymentRevoke(StateAct):
    """The authority was withdrawn."""

    names = ("deployment.revoke",)
    deployment: Name = Field(description="the deployment's id")
    reason: Text = Field(description="why it was withdrawn")


class DeploymentArchive(StateAct):
    """The state of an ended deployment was put away for the next one."""

    names = ("deployment.archive",)
    deployment: Name = Field(description="the deployment that had ended")


class WatchlistOpen(StateAct):
    """A sealed watchlist was opened: digest, sequence, sizes, who built and approved it."""

    names = ("watchlist.open",)
    digest: Name = Field(description="sha256 of the sealed file")
    sequence: Count = Field(0, description="the list's sequence number")
    entries: Count = Field(description="people on it, blue-list entries left out")
    photos: Count = Field(0, description="photos on it")
    by_category: dict[Name, Count] = Field(default_factory=dict, max_length=200, description="entries by category")
    by_response: dict[Name, Count] = Field(default_factory=dict, max_length=8, description="entries by response")
    builder: Name = Field("", description="who built it")
    approvals: tuple[Name, ...] = Field((), max_length=200, description="who approved it")
    embedder: Name = Field("", description="the embedder of its templates, name@digest")
    under_18: Count = Field(0, description="entries of people under 18")
    expired: Count = Field(0, description="entries left out because their time is over")
    expired_ids: Ids = Field((), description="which those are, the first of them")


class WatchlistChange(Act):
    """A new sealed watchlist replaced the one in use: ids added and removed, over as many lines as that takes."""

    names = ("watchlist.change",)
    digest: Name = Field(description="sha256 of the new sealed file")
    sequence: Count = Field(0, description="its sequence number")
    replaces: Name = Field("", description="sha256 of the file before")
    added: Ids = Field((), description="entries that are new on it")
    removed: Ids = Field((), description="entries that are no longer on it")
    part: int = Field(1, ge=1, description="which of the lines of this change")
    of: int = Field(1, ge=1, description="how many lines this change takes")


class WatchlistRefused(Act):
    """A sealed watchlist was refused, and why."""

    names = ("watchlist.refused",)
    reason: Sentence = Field(description="why it was refused")


class CategoryThreshold(BaseModel):
    """The threshold of one category, where it has one of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threshold: float = Field(ge=-1, le=1, description="cosine similarity")
    by: Text = Field("", description="who set it")
    reason: Text = Field("", description="why")


class ThresholdSet(Act):
    """The thresholds in force, who set them and why."""

    names = ("threshold.set",)
    threshold: float = Field(ge=-1, le=1, description="cosine similarity from which on somebody is a candidate")
    model_threshold: float = Field(ge=-1, le=1, description="what the embedder's manifest entry recommends")
    set_by: Text = Field(description="who set it")
    reason: Text = Field("", description="why")
    categories: dict[Name, CategoryThreshold] = Field(
        default_factory=dict, max_length=200, description="thresholds of single categories"
    )


class _CameraTurn(Act):
    camera: Name = Field(description="the camera's name")
    state: Name = Field("", description="its state: live, reconnecting, stalled, failed …")
    detail: Sentence = Field("", description="what it says itself, without credentials")


class CameraDown(_CameraTurn):
    """A camera gives no pictures."""

    names = ("camera.down",)


class CameraUp(_CameraTurn):
    """A camera gives pictures again."""

    names = ("camera.up",)


class ProcessRestarted(Act):
    """The supervisor restarted a process."""

    names = ("process.restarted",)
    worker: Name = Field(description="hub, console or camera/NAME")
    why: Sentence = Field("", description="how it was lost")
    restarts: Count = Field(0, description="how often it was restarted in this run")


class _GuardTurn(Act):
    sentence: Sentence = Field(description="how the false-alert rate stands")
    rate: float | None = Field(None, ge=0, description="false alerts over people seen; none where nobody was")


class GuardBreach(_GuardTurn):
    """False alerts are above the limit with 95 % confidence."""

    names = ("guard.breach",)


class GuardClear(_GuardTurn):
    """False alerts are no longer above the limit."""

    names = ("guard.clear",)


class DecisionMade(Act):
    """Somebody took an alert, judged it, passed it on, decided in the street, recorded the outcome, or took that back.

    The free note stays in the journal and is purged with the alert.
    """

    names = (
        "decision.taken",
        "decision.operator",
        "decision.passed_on",
        "decision.engagement",
        "decision.outcome",
        "decision.undo",
    )
    kind: Literal["taken", "operator", "passed_on", "engagement", "outcome", "undo"] = Field(description="which act")
    alert: Name = Field(description="the alert's id")
    decision: Name = Field("", description="the decision's id")
    seq: Count = Field(0, description="its number in the journal")
    value: Name = Field("", description="what was decided")
    role: Name = Field("", description="the person's role")
    at: Moment | None = Field(None, description="when it was decided")
    reason: Name = Field("", description="from the short list of the console, or free")
    seconds_taken: float | None = Field(None, ge=0, description="from seeing the alert to deciding")
    undoes: Name = Field("", description="of an undo: the decision that is taken back")

    @classmethod
    def called(cls, _details: Mapping[str, Any]) -> str:
        """The name after the kind of the decision."""
        return f"decision.{_details.get('kind')}"


class _AtConsole(Act):
    by_readers = True
    when: Moment | None = Field(None, description="when the console saw it; the line is dated when it was recorded")


class ViewAlert(_AtConsole):
    """Somebody looked at an alert."""

    names = ("view.alert",)
    alert: Name = Field(description="the alert's id")
    session: Name = Field("", description="which of the person's sessions, in short")


class ExportAlert(_AtConsole):
    """Somebody exported an alert as evidence."""

    names = ("export.alert",)
    alert: Name = Field(description="the alert's id")
    sha256: Sha256 = Field("", description="of the exported file")
    bytes: Count = Field(0, description="the exported file's size")


class UserSignin(_AtConsole):
    """Somebody signed in."""

    names = ("user.signin",)
    role: Name = Field("", description="the person's role")
    session: Name = Field("", description="which session began, in short")
    address: Name = Field("", description="the browser's address in the network")


class UserSignout(_AtConsole):
    """Somebody signed out."""

    names = ("user.signout",)
    session: Name = Field("", description="which session ended, in short")


class UserRefused(_AtConsole):
    """A sign-in was refused."""

    names = ("user.refused",)
    address: Name = Field("", description="the browser's address in the network")


class UserLocked(_AtConsole):
    """An account was locked after refused sign-ins."""

    names = ("user.locked",)
    address: Name = Field("", description="the browser's address in the network")
    seconds: Count = Field(0, description="for how long")


class UserAdded(Act):
    """A user was added or changed."""

    names = ("user.added",)
    user: Name = Field(description="who may sign in")
    role: Name = Field(description="as what")


class UserRemoved(Act):
    """A user was removed."""

    names = ("user.removed",)
    user: Name = Field(description="who may no longer sign in")


class BlueWalk(Act):
    """An officer of the blue list walked past a camera on purpose."""

    names = ("blue.walk",)
    deployment: Name = Field(description="the deployment's id")
    entry: Name = Field(description="the officer's blue-list entry, not a wanted person")
    camera: Name = Field(description="the camera's name")
    at: Moment = Field(description="when")


class EndBegin(StateAct):
    """The deployment is ending: by whom and why."""

    names = ("end.begin",)
    deployment: Name = Field(description="the deployment's id")
    reason: Sentence = Field(description="why it ends")


class Wipe(Act):
    """Something is destroyed (stage begin) and was (stage done)."""

    names = ("wipe",)
    stage: Literal["begin", "done"] = Field(description="before or after it was destroyed")
    what: Name = Field(description="what kind of thing it is")
    path: PathText = Field(description="the file")
    bytes: Count = Field(0, description="its size")
    sha256: Sha256 = Field("", description="of a sealed watchlist")
    continued: bool = Field(False, description="begun by an end that was interrupted")


class WipeScan(Act):
    """The folders were searched for what was destroyed, and what was found."""

    names = ("wipe.scan",)
    files: Count = Field(description="files that were looked through")
    bytes: Count = Field(description="bytes that were looked through")
    searched_for: tuple[Name, ...] = Field(max_length=16, description="what was searched for")
    found: Count = Field(description="places in which it was found")
    remains: tuple[PathText, ...] = Field((), max_length=100, description="files that hold it still")
    unread: Count = Field(0, description="files that could not be read or were left out")
    unread_examples: tuple[Sentence, ...] = Field((), max_length=5, description="some of those, and why")


class EndCleared(Act):
    """What the search of an end had found is no longer there."""

    names = ("end.cleared",)
    deployment: Name = Field(description="the deployment's id")
    gone: tuple[PathText, ...] = Field(max_length=100, description="files that held remains and are gone")


class End(StateAct):
    """The deployment has ended and everything named in the certificate is destroyed."""

    names = ("end",)
    deployment: Name = Field(description="the deployment's id")
    complete: bool = Field(description="whether everything is gone and the search found nothing")
    problems: tuple[Sentence, ...] = Field((), max_length=20, description="what is not, where no file holds remains")
    remains: dict[PathText, tuple[Name, ...]] = Field(
        default_factory=dict, max_length=20, description="files that still hold something, and what"
    )


class Purge(StateAct):
    """Alerts were deleted at the end of their time, over as many lines as their ids take."""

    names = ("purge",)
    alerts: Count = Field(description="how many alerts went with this line")
    ids: Ids = Field((), description="which, where the journal could still tell")
    kept_hours: float | None = Field(None, ge=0, description="how long alerts are kept")
    journal: Literal["", "destroyed"] = Field("", description="destroyed: the journal and its key went too")


class Report(Act):
    """A report was written."""

    names = ("report",)
    folder: PathText = Field(description="where")
    sha256: dict[Name, Sha256] = Field(max_length=16, description="hash of each file, by its name")


class AuditRepair(Act):
    """The record itself was found damaged, and how."""

    names = ("audit.repair",)
    torn: tuple[Sha256, ...] = Field((), max_length=16, description="hashes of lines that were torn")
    torn_bytes: Count = Field(0, description="how long those are")
    head_missing: bool = Field(False, description="audit.head was removed or damaged")
    records_missing: Count = Field(0, description="acts that were removed from the end")
    head_n: Count = Field(0, description="number of the newest act that audit.head knows")
    head_hash: Sha256 = Field("", description="its hash")


def _models(base: type[Act]) -> dict[str, type[Act]]:
    found = dict.fromkeys(base.names, base)
    for model in base.__subclasses__():
        found |= _models(model)
    return found


ACTS: Final[Mapping[str, type[Act]]] = _models(Act)
"""The model of each act's details, by the act's name."""


def act_of(name: str, details: Mapping[str, Any]) -> Act:
    """The act of that name with these details, for those who get both as data.

    Raises
    ------
    ActRefused
        No act has that name, or the details do not fit it.
    """
    model = ACTS.get(name)
    if model is None:
        raise ActRefused(f"The audit record knows no act {name[:64]!r}.", "See appliance.audit.acts.")
    act = model(**details)
    if act.name != name:
        raise ActRefused(f"The audit record refuses {name}: its details are those of {act.name}.")
    return act
