"""A question to the hub is answered, refused by a kind of error that says what to do, or said to be unanswered."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from alerts_material import alert, decision, pictures, running, settings, short_folder
from waiting import until

from appliance.alerts.messages import new_id
from appliance.core.errors import DecisionConflict, RequestRefused, StreamError, UnknownAlert
from appliance.core.telemetry import Meter
from appliance.stream.client import Batch, HubClient
from appliance.stream.hub import Hub
from appliance.stream.outbox import Outbox
from appliance.stream.wire import Refusal, body_of

Answer = Callable[[list[bytes]], list[list[bytes]]]


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


def put(hub: Hub, count: int) -> list[str]:
    made = [alert() for _ in range(count)]
    with Outbox(hub.settings.cameras, "north", Meter()) as outbox:
        for one in made:
            outbox.send_alert(one, pictures())
        assert outbox.drained(30)
    return [one.id for one in made]


class ScriptedHub:
    """Answers each question as told; keeps the questions."""

    def __init__(self, endpoint: str, answer: Answer) -> None:
        self.asked: list[list[bytes]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind(endpoint)
        self._answer, self._stop = answer, threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> "ScriptedHub":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _work(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(20):
                client, *frames = self._socket.recv_multipart()
                self.asked.append(frames)
                for reply in self._answer(frames):
                    self._socket.send_multipart([client, *reply])


def test_everything_is_asked_for_in_parts(folder: Path) -> None:
    with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
        assert client.replay(1) == Batch((), hub.journal.epoch, 0, 1)
        ids = put(hub, 5)
        part = client.replay(2, limit=2)
        assert ([event.seq for event in part.events], part.complete) == ([2, 3], False)
        assert [event.header.id for event in client.events()] == ids
        assert [event.header.id for event in client.events(4)] == ids[3:]
        assert [len(event.pictures) for event in client.events(pictures=True)] == [3] * 5


def test_refusals_are_told_apart_by_their_type(folder: Path) -> None:
    with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
        (id_,) = put(hub, 1)
        with pytest.raises(UnknownAlert):
            client.fetch(new_id())
        with pytest.raises(UnknownAlert):
            client.decide(decision(new_id()))
        first = client.decide(decision(id_))
        with pytest.raises(DecisionConflict) as conflict:
            client.decide(decision(id_, value="no_match"))
        assert conflict.value.standing == first
        with pytest.raises(RequestRefused):
            client.decide(decision(id_, kind="outcome", value="match"))


@pytest.mark.parametrize(
    ("code", "error"),
    [("unknown_alert", UnknownAlert), ("conflict", DecisionConflict), ("bad_request", RequestRefused),
     ("too_large", RequestRefused), ("unavailable", StreamError)],
)  # fmt: skip
def test_each_code_of_a_refusal_has_its_error(folder: Path, code: str, error: type[StreamError]) -> None:
    refusal = body_of(Refusal.model_validate({"code": code, "message": "No."}))
    endpoint = f"ipc://{folder}/replay"
    with (
        ScriptedHub(endpoint, lambda frames: [[b"error", frames[1], refusal]]),
        HubClient(endpoint) as client,
        pytest.raises(StreamError, match="No") as raised,
    ):
        client.fetch("a")
    assert type(raised.value) is error


def test_answers_to_other_questions_and_torn_ones_are_passed_over(folder: Path) -> None:
    def answer(frames: list[bytes]) -> list[list[bytes]]:
        return [[b"recorded"], [b"recorded", b"another", b"{}"], [b"event", frames[1]], [b"recorded", frames[1], b"{}"]]

    endpoint = f"ipc://{folder}/replay"
    with ScriptedHub(endpoint, answer), HubClient(endpoint) as client:
        client.record("view.alert", "me")


def test_a_question_is_asked_again_but_an_act_is_not_recorded_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.stream.client._RETRY_S", 0.1)
    endpoint = f"ipc://{folder}/replay"
    with ScriptedHub(endpoint, lambda _: []) as hub, HubClient(endpoint, timeout_s=0.8) as client:
        with pytest.raises(StreamError, match="does not answer"):
            client.record("view.alert", "me")
        until(lambda: len(hub.asked) == 1)
        with pytest.raises(StreamError, match="does not answer"):
            client.fetch("a")
        until(lambda: len(hub.asked) > 2)
        asked = hub.asked[1:]
        assert len({frames[1] for frames in asked}) == len(asked), "each under a name of its own"


def test_a_hub_that_does_not_answer_is_said_with_what_to_do(folder: Path) -> None:
    started = time.monotonic()
    with HubClient(f"ipc://{folder}/replay", timeout_s=0.5) as client:
        with pytest.raises(StreamError, match=r"does not answer at ipc://.*Is lfr run running\?"):
            client.replay(1)
        with pytest.raises(StreamError, match="does not answer"):
            client.decide(decision("a"))
    assert time.monotonic() - started < 20


def test_a_question_survives_a_hub_that_comes_back(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 2)
        client = HubClient(hub.settings.replay, timeout_s=30)
        assert client.replay(1).newest == 2
    with client, running(settings(folder)):
        assert client.replay(1).newest == 2


def test_a_bad_address_is_refused() -> None:
    with pytest.raises(StreamError, match="is not an address"):
        HubClient("nowhere")
