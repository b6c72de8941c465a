"""Each request of a reader is answered once, and each kind of error with its code."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zmq
from alerts_material import alert, decision, pictures

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Decision, new_id
from appliance.audit.record import AuditRecord
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, JournalError, SecretError, StreamError, UnknownAlert
from appliance.core.telemetry import Meter
from appliance.stream import requests as module
from appliance.stream.requests import CLOCK_TOLERANCE_S, RequestHandler
from appliance.stream.wire import FetchRequest, Refusal, ReplayRequest, body_of


class Handler:
    """A handler whose socket is two lists."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[list[bytes]] = []
        self.sent: list[list[bytes]] = []
        self.decided: list[Decision] = []
        self.meter = Meter()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        monkeypatch.setattr(module, "receive", lambda _: self.waiting.pop(0) if self.waiting else None)
        monkeypatch.setattr(module, "send", self._send)
        self.audit = AuditRecord(journal.state_dir)
        self.handler = RequestHandler(self.socket, journal, self.audit, self.meter, self.decided.append)

    def _send(self, _: object, frames: list[bytes]) -> bool:
        self.sent.append(frames)
        return True

    def ask(self, *frames: bytes) -> list[bytes]:
        self.waiting.append([b"reader", *frames])
        self.handler.answer_waiting()
        client, *reply = self.sent.pop()
        assert client == b"reader"
        return reply


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "state") as made:
        yield made


@pytest.fixture
def requests(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    made = Handler(journal, monkeypatch)
    yield made
    made.socket.close()
    made.context.term()


def refusal_of(reply: list[bytes]) -> Refusal:
    assert reply[0] == b"error"
    return Refusal.model_validate_json(reply[2])


def test_an_alert_is_fetched_with_its_pictures(requests: Handler, journal: Journal) -> None:
    made = alert()
    journal.append_alert(made, pictures())
    kind, request, topic, _, *jpgs = requests.ask(b"fetch", b"r1", body_of(FetchRequest(id=made.id)))
    assert (kind, request, topic, len(jpgs)) == (b"event", b"r1", b"alert", 3)


def test_a_new_decision_is_told_on_and_a_repeated_one_only_answered(requests: Handler, journal: Journal) -> None:
    made = alert()
    journal.append_alert(made, pictures())
    said = decision(made.id)
    first = requests.ask(b"decide", b"r1", body_of(said))
    again = requests.ask(b"decide", b"r2", body_of(said))
    assert (first[0], first[2]) == (again[0], again[2])
    assert [one.seq for one in requests.decided] == [2]


def test_a_clock_that_differs_a_little_is_forgiven_and_the_future_is_not(requests: Handler, journal: Journal) -> None:
    made = alert()
    journal.append_alert(made, pictures())
    later = utc_now() + timedelta(seconds=CLOCK_TOLERANCE_S + 30)
    refused = refusal_of(requests.ask(b"decide", b"r", body_of(decision(made.id, at=later))))
    assert (refused.code, "clocks" in refused.message) == ("bad_request", True)
    soon = utc_now() + timedelta(seconds=CLOCK_TOLERANCE_S - 30)
    assert requests.ask(b"decide", b"r", body_of(decision(made.id, at=soon)))[0] == b"decided"


def test_an_act_is_recorded(requests: Handler) -> None:
    assert requests.ask(b"record", b"r", b'{"act": "view.alert", "by": "me", "details": {"alert": "a-1"}}') == [
        b"recorded",
        b"r",
        b"{}",
    ]
    assert [(line.act, line.by) for line in requests.audit.records()] == [("view.alert", "me")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownAlert("x"), "unknown_alert"),
        (DecisionConflict("x"), "conflict"),
        (StreamError("x"), "bad_request"),
        (JournalError("x"), "unavailable"),
        (SecretError("x"), "unavailable"),
    ],
)
def test_each_error_has_its_code(
    requests: Handler, journal: Journal, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def broken(*_: object) -> Any:
        raise error

    monkeypatch.setattr(journal, "append_decision", broken)
    assert refusal_of(requests.ask(b"decide", b"r", body_of(decision("a")))).code == code
    assert requests.meter.value("lfr_hub_refused_requests_total", reason=code) == 1


@pytest.mark.parametrize(
    ("frames", "named"),
    [([], b""), ([b"replay"], b""), ([b"replay", b"r"], b"r"), ([b"dance", b"r", b"{}"], b"r"),
     ([b"fetch", b"r", b"{"], b"r"), ([b"fetch", b"x" * 65, b"{}"], b"x" * 64),
     ([b"fetch", b"r", b"{}", b"more"], b"r")],
    ids=["nothing", "no id", "no JSON", "verb", "torn", "long id", "more"],
)  # fmt: skip
def test_a_bad_request_is_refused_under_its_own_id(requests: Handler, frames: list[bytes], named: bytes) -> None:
    reply = requests.ask(*frames)
    assert (reply[1], refusal_of(reply).code) == (named, "bad_request")


def test_an_unknown_alert_is_no_bad_request(requests: Handler) -> None:
    assert refusal_of(requests.ask(b"fetch", b"r", body_of(FetchRequest(id=new_id())))).code == "unknown_alert"


def test_the_hub_does_not_sleep_while_a_replay_goes_on(requests: Handler, journal: Journal) -> None:
    assert requests.handler.may_sleep_ms == 100
    for _ in range(20):
        journal.append_alert(alert(), pictures())
    requests.waiting.append([b"reader", b"replay", b"r", body_of(ReplayRequest(), by_alias=True)])
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("appliance.stream.replays.send", lambda *_: True)
        requests.handler.answer_waiting()
        assert requests.handler.may_sleep_ms == 0
        patch.setattr("appliance.stream.replays.send", lambda *_: False)
        requests.handler.answer_waiting()
        assert requests.handler.may_sleep_ms == 10
