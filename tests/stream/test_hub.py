"""The hub: durable first, told after, and nothing that anybody sends it brings it down."""

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zmq
from alerts_material import alert, decision, picture, pictures, running, settings, short_folder, sighting
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from waiting import until

from appliance.alerts.journal import Journal
from appliance.alerts.messages import MAX_PICTURE_BYTES, PreviewHeader, Status, new_id
from appliance.audit.chain import AuditLine
from appliance.audit.record import AuditRecord
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, JournalError, RequestRefused, StreamError, UnknownAlert
from appliance.stream.client import HubClient
from appliance.stream.hub import Hub
from appliance.stream.wire import body_of


@pytest.fixture
def folder() -> Iterator[Any]:
    with short_folder() as made:
        yield made


def recorded(state_dir: Path) -> list[AuditLine]:
    return list(AuditRecord(state_dir).records())


def in_the_way_of_the_record(folder: Path) -> Path:
    """A folder where the record belongs, as if the disk refused it."""
    obstacle = folder / "state" / "audit.jsonl"
    obstacle.mkdir(parents=True, mode=0o700)
    return obstacle


class Peer:
    """A raw socket that says what it likes."""

    def __init__(self, kind: int, endpoint: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        if kind == zmq.SUB:
            self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.connect(endpoint)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def hear(self, timeout_s: float = 30.0) -> list[bytes] | None:
        return self.socket.recv_multipart() if self.socket.poll(int(timeout_s * 1000)) else None

    def hear_of(self, topic: bytes) -> list[bytes]:
        """The next message of a topic; the hub may speak of itself in between."""
        while (frames := self.hear()) is not None:
            if frames[0] == topic:
                return frames
        raise TimeoutError(f"nothing of {topic.decode()} was heard")

    def ask(self, *frames: bytes) -> list[bytes] | None:
        self.send(*frames)
        return self.hear()


def subscribed(reader: Any, hub: Hub) -> None:
    """Wait until the hub knows the reader: what it publishes before that is lost."""
    number, heard = 0, None
    with Peer(zmq.DEALER, hub.settings.cameras) as supervisor:
        while heard is None or json.loads(heard[1])["people_seen"] != number:
            if heard is None:
                number += 1
                supervisor.send(b"status", body_of(Status(at=utc_now(), people_seen=number)))
            heard = reader.hear(0.2)


def alert_frames(made: Any = None, *, header: bytes | None = None, jpgs: Any = None) -> list[bytes]:
    return [b"alert", body_of(made or alert()) if header is None else header, *(jpgs or map(bytes, pictures()))]


class TestCameras:
    def test_an_alert_is_acknowledged_with_its_number_and_a_repetition_too(self, folder: Path) -> None:
        with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
            made = alert("N-1")
            assert camera.ask(*alert_frames(made)) == [b"ack", made.id.encode(), b"1"]
            assert camera.ask(*alert_frames(made)) == [b"ack", made.id.encode(), b"1"]
            again = alert("N-1")
            assert camera.ask(*alert_frames(again)) == [b"ack", again.id.encode(), b"1"]
            seen = sighting()
            assert camera.ask(b"sighting", body_of(seen)) == [b"ack", seen.id.encode(), b"2"]

    def test_a_second_alert_within_the_cool_down_is_said(self, folder: Path) -> None:
        with (
            capture_logs() as said,
            running(settings(folder)) as hub,
            Peer(zmq.DEALER, hub.settings.cameras) as camera,
        ):
            for made in (first := alert("N-1"), first, alert("N-1")):
                camera.ask(*alert_frames(made))
        assert [(one["camera"], one["seq"]) for one in said if "cool-down" in one["event"]] == [("north", 1)]

    def test_what_is_published_is_in_the_journal_already(self, folder: Path) -> None:
        with (
            running(settings(folder)) as hub,
            Peer(zmq.DEALER, hub.settings.cameras) as camera,
            Peer(zmq.SUB, hub.settings.publish) as reader,
            HubClient(hub.settings.replay) as client,
        ):
            subscribed(reader, hub)
            made = alert()
            camera.send(*alert_frames(made))
            _, header, *jpgs = reader.hear_of(b"alert")
            assert jpgs == [bytes(jpg) for jpg in pictures()]
            published = json.loads(header)
            assert published["published_at"] >= published["captured_at"]
            assert client.fetch(made.id).header.model_dump(mode="json") == published

    def test_commit_comes_before_acknowledgement_and_that_before_publication(self, folder: Path) -> None:
        reached: queue.Queue[str] = queue.Queue()
        go_on = threading.Semaphore(0)

        def fault(moment: str) -> None:
            reached.put(moment)
            go_on.acquire(timeout=10)

        made = alert()
        with (
            running(settings(folder, fault=fault)) as hub,
            Peer(zmq.DEALER, hub.settings.cameras) as camera,
            Peer(zmq.SUB, hub.settings.publish) as reader,
        ):
            subscribed(reader, hub)
            camera.send(*alert_frames(made))
            assert reached.get(timeout=30) == "committed"
            with Journal.open_reader(hub.settings.state_dir) as journal:
                assert journal.find(made.id) is not None
            assert camera.hear(0.3) is None
            go_on.release()
            assert reached.get(timeout=30) == "acked"
            assert camera.hear() == [b"ack", made.id.encode(), b"1"]
            assert reader.hear(0.3) is None
            go_on.release()
            assert reader.hear_of(b"alert")

    def test_a_full_disk_is_a_refusal_that_says_to_retry_and_never_an_acknowledgement(self, folder: Path) -> None:
        with (
            running(settings(folder)) as hub,
            Peer(zmq.DEALER, hub.settings.cameras) as camera,
            Peer(zmq.SUB, hub.settings.publish) as reader,
        ):
            subscribed(reader, hub)
            pages = hub.journal._db.execute("PRAGMA page_count").fetchone()[0]
            hub.journal._db.execute(f"PRAGMA max_page_count = {pages}")
            made = alert()
            big = [picture(size=90_000)] * 3
            verb, id_, reason = camera.ask(*alert_frames(made, jpgs=big))
            assert (verb, id_) == (b"later", made.id.encode())
            assert reason.startswith(b"The disk of the journal")
            camera.send(b"status", body_of(Status(at=utc_now())))
            _, status = reader.hear_of(b"status")
            assert any("is full" in one["text"] for one in json.loads(status)["degraded"])
            hub.journal._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
            assert camera.ask(*alert_frames(made, jpgs=big)) == [b"ack", made.id.encode(), b"1"]
            assert hub.trouble == {}

    @pytest.mark.parametrize(
        ("frames", "why"),
        [
            (lambda made: alert_frames(made, jpgs=[picture()] * 2), b"3 pictures"),
            (lambda made: alert_frames(made, jpgs=[b"GIF89a", picture(), picture()]), b"not a JPEG"),
            (lambda made: alert_frames(made, jpgs=[picture(size=MAX_PICTURE_BYTES + 1)] * 3), b"are allowed"),
            (lambda made: alert_frames(made, header=body_of(made)[:-1]), b"Malformed"),
            (lambda made: alert_frames(made, header=b'{"id": "x"}'), b"Malformed"),
            (lambda made: alert_frames(made, header=body_of(made) + b" " * 40_000), b"bytes"),
            (lambda made: alert_frames(made.model_copy(update={"camera": "../north"})), b"camera's name"),
        ],
        ids=["two pictures", "no JPEG", "picture too large", "torn JSON", "fields missing", "header too long", "name"],
    )
    def test_a_bad_alert_is_refused_for_good_and_counted(self, folder: Path, frames: Any, why: Any) -> None:
        with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
            verb, _, reason = camera.ask(*frames(alert()))
            assert verb == b"nack"
            assert why in reason
            assert sum(s.value for s in hub.meter.snapshot() if s.name == "lfr_hub_refused_messages_total") == 1
            assert hub.journal.newest == 0

    def test_previews_and_status_pass_through_and_status_names_the_newest_number(self, folder: Path) -> None:
        with (
            running(settings(folder)) as hub,
            Peer(zmq.DEALER, hub.settings.cameras) as camera,
            Peer(zmq.SUB, hub.settings.publish) as reader,
        ):
            subscribed(reader, hub)
            camera.ask(*alert_frames())
            reader.hear_of(b"alert")
            camera.send(b"preview", body_of(PreviewHeader(camera="north", at=utc_now(), people=3)), picture("view"))
            _, header, jpg = reader.hear_of(b"preview.north")
            assert (json.loads(header)["people"], jpg) == (3, picture("view"))
            camera.send(b"status", body_of(Status(at=utc_now(), people_seen=7)))
            while (told := json.loads(reader.hear_of(b"status")[1]))["people_seen"] != 7:
                pass  # the hub spoke for the supervisor in between
            assert (told["seq"], told["epoch"]) == (1, hub.journal.epoch)
            assert told["degraded"] == []

    def test_a_silent_supervisor_is_said_by_the_hub_itself(self, folder: Path) -> None:
        with running(settings(folder)) as hub, Peer(zmq.SUB, hub.settings.publish) as reader:
            _, header = reader.hear_of(b"status")
            assert json.loads(header)["degraded"][0]["code"] == "supervisor"

    @pytest.mark.parametrize("alerts_before", [0, 1])
    def test_latency_and_counts_are_measured_and_begin_where_the_journal_stands(
        self, folder: Path, alerts_before: int
    ) -> None:
        labels = {"camera": "north", "category": "violence"}
        for _ in range(alerts_before):
            with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
                camera.ask(*alert_frames())
        with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
            assert hub.meter.value("lfr_alerts_total", **labels) == alerts_before
            camera.ask(*alert_frames(alert(at=utc_now() - timedelta(seconds=2))))
            until(lambda: hub.meter.value("lfr_alerts_total", **labels) == alerts_before + 1)
            until(lambda: 2 <= hub.meter.value("lfr_alert_latency_seconds", camera="north") < 60)

    def test_the_latency_holds_a_slow_commit_and_what_follows_it(self, folder: Path) -> None:
        slow_s = {"committed": 0.4, "acked": 0.3}
        made = alert()
        with (
            running(settings(folder, fault=lambda moment: time.sleep(slow_s[moment]))) as hub,
            Peer(zmq.DEALER, hub.settings.cameras) as camera,
            Peer(zmq.SUB, hub.settings.publish) as reader,
            HubClient(hub.settings.replay) as client,
        ):
            subscribed(reader, hub)
            camera.send(*alert_frames(made))
            header = json.loads(reader.hear_of(b"alert")[1])
            assert client.fetch(made.id).header.model_dump(mode="json") == header, "one published_at, live and later"
            assert hub.meter.value("lfr_alert_latency_seconds", camera="north") >= 0.7

    def test_labels_without_a_bound_do_not_bring_it_down(self, folder: Path) -> None:
        with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
            for number in range(520):
                hub._count("lfr_test_total", reason=str(number))
            assert camera.ask(*alert_frames())[0] == b"ack"
            assert "series" in hub.trouble["hub"]


class TestReaders:
    @pytest.fixture
    def hub(self, folder: Path) -> Iterator[Any]:
        with running(settings(folder)) as made:
            yield made

    @pytest.fixture
    def client(self, hub: Any) -> Iterator[Any]:
        with HubClient(hub.settings.replay) as made:
            yield made

    def put(self, hub: Any, *made: Any) -> None:
        with Peer(zmq.DEALER, hub.settings.cameras) as camera:
            for one in made:
                assert camera.ask(*alert_frames(one))[0] == b"ack"

    def test_replay_answers_in_parts_with_where_to_go_on(self, hub: Any, client: Any) -> None:
        self.put(hub, *(alert() for _ in range(5)))
        part = client.replay(2, limit=2, pictures=True)
        assert [event.seq for event in part.events] == [2, 3]
        assert (part.epoch, part.newest, part.next_seq, part.complete) == (hub.journal.epoch, 5, 4, False)
        assert len(part.events[0].pictures) == 3
        rest = client.replay(4)
        assert ([event.seq for event in rest.events], rest.next_seq, rest.complete) == ([4, 5], 6, True)
        assert rest.events[0].pictures == ()
        assert client.replay(100).events == ()

    def test_a_decision_is_journaled_published_audited_and_answered_the_same_again(self, hub: Any, client: Any) -> None:
        made = alert()
        self.put(hub, made)
        with Peer(zmq.SUB, hub.settings.publish) as reader:
            subscribed(reader, hub)
            one = decision(made.id, reason="same scar", note="he told us his name")
            assert client.decide(one).seq == client.decide(one).seq == 2
            assert json.loads(reader.hear_of(b"decision")[1])["value"] == "match"
        with pytest.raises(DecisionConflict, match="PC Singh said match") as told:
            client.decide(decision(made.id, value="no_match"))
        assert told.value.standing.id == one.id
        assert hub.meter.value("lfr_decisions_total", kind="operator", outcome="match") == 1
        (act,) = recorded(hub.settings.state_dir)
        assert (act.act, act.by) == ("decision.operator", "PC Singh")
        assert (act.details["alert"], act.details["value"], act.details["reason"]) == (made.id, "match", "same scar")
        assert "his name" not in str(act.details)

    def test_a_decision_on_nothing_or_in_the_future_is_refused(self, hub: Any, client: Any) -> None:
        made = alert()
        self.put(hub, made)
        with pytest.raises(UnknownAlert):
            client.decide(decision("nobody"))
        with pytest.raises(UnknownAlert):
            client.fetch("nobody")
        with pytest.raises(RequestRefused, match="clocks"):
            client.decide(decision(made.id, at=utc_now() + timedelta(seconds=90)))
        with pytest.raises(RequestRefused, match="says match or no_match"):
            client.decide(decision(made.id, value="arrested"))

    def test_acts_reach_the_audit_record(self, hub: Any, client: Any) -> None:
        client.record("view.alert", "PC Singh", {"alert": "a-1"})
        (act,) = recorded(hub.settings.state_dir)
        assert (act.act, act.by, act.details) == ("view.alert", "PC Singh", {"alert": "a-1"})

    @pytest.mark.parametrize(
        ("act", "details", "why"),
        [
            ("sell.data", {}, "knows no act 'sell.data'"),
            ("view.alert", {}, "refuses view.alert: alert"),
            ("view.alert", {"alert": "a-1", "name": "John"}, "refuses view.alert: name"),
            ("user.signin", {"self": 1}, "refuses user.signin: self"),
            ("wipe", {"stage": "done", "what": "sealing key", "path": "/k"}, "by whoever does it"),
        ],
    )
    def test_an_act_that_is_unknown_misshapen_or_not_a_readers_is_refused_for_good(
        self, hub: Any, client: Any, act: str, details: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(RequestRefused, match=why):
            client.record(act, "PC Singh", details)
        assert recorded(hub.settings.state_dir) == []

    def test_a_reader_that_takes_nothing_cannot_hold_up_an_alert(self, hub: Any, client: Any) -> None:
        self.put(hub, *(alert() for _ in range(40)))
        with Peer(zmq.DEALER, hub.settings.replay) as greedy:
            greedy.socket.setsockopt(zmq.RCVHWM, 1)
            for number in range(50):
                greedy.send(b"replay", str(number).encode(), b'{"from": 1, "limit": 500, "pictures": true}')
            self.put(hub, alert())
            assert client.replay(41).events[0].seq == 41

    def test_too_many_replays_of_one_reader_are_refused_not_queued(self, hub: Any) -> None:
        with Peer(zmq.DEALER, hub.settings.replay) as reader:
            for number in range(16):
                reader.send(b"replay", str(number).encode(), b'{"from": 1}')
            kinds = [reader.hear()[0] for _ in range(16)]
            assert set(kinds) <= {b"end", b"error"}
            assert b"end" in kinds

    @pytest.mark.parametrize(
        ("frames", "code"),
        [
            ([b"sing", b"1", b"{}"], "bad_request"),
            ([b"replay", b"1"], "bad_request"),
            ([b"replay", b"1", b'{"from": -1}'], "bad_request"),
            ([b"replay", b"1", b'{"limit": 501}'], "bad_request"),
            ([b"replay", b"1", b"\xff\xfe"], "bad_request"),
            ([b"fetch", b"1", b'{"id": ""}'], "bad_request"),
            ([b"decide", b"1", b'{"kind": "operator"}'], "bad_request"),
            ([b"decide", b"1", b"[" * 100_000], "too_large"),
            ([b"fetch", b"1", b"{}", *[b"x"] * 20], "bad_request"),
            ([b"fetch", b"1" * 65, b"{}"], "bad_request"),
            ([b"fetch", b"1", b'{"id": "\\ud800"}'], "bad_request"),
        ],
        ids=lambda value: value if isinstance(value, str) else value[0].decode() + str(len(value)),
    )
    def test_a_bad_request_is_answered_with_a_plain_sentence(self, hub: Any, frames: Any, code: Any) -> None:
        with Peer(zmq.DEALER, hub.settings.replay) as reader:
            kind, _, body = reader.ask(*frames)
            assert (kind, json.loads(body)["code"]) == (b"error", code)
            assert len(json.loads(body)["message"]) > 10


class TestAudit:
    def test_decisions_wait_while_the_record_cannot_be_written_and_are_written_then(self, folder: Path) -> None:
        obstacle = in_the_way_of_the_record(folder)
        with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
            made = alert()
            with Peer(zmq.DEALER, hub.settings.cameras) as camera:
                camera.ask(*alert_frames(made))
            client.decide(decision(made.id))
            client.decide(decision(made.id, "outcome", "lost"))
            with pytest.raises(StreamError, match="is not a file") as told:
                client.record("view.alert", "PC Singh", {"alert": made.id})
            assert not isinstance(told.value, RequestRefused), "it may be asked again"
            assert "audit" in hub.trouble
            obstacle.rmdir()
            until(lambda: not hub.trouble)
            assert [act.details["value"] for act in recorded(hub.settings.state_dir)] == ["match", "lost"]
            assert hub.trouble == {}

    def test_what_was_journaled_but_not_recorded_before_a_crash_is_recorded_at_the_start(self, folder: Path) -> None:
        obstacle = in_the_way_of_the_record(folder)
        with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
            made = alert()
            with Peer(zmq.DEALER, hub.settings.cameras) as camera:
                camera.ask(*alert_frames(made))
            client.decide(decision(made.id))
        obstacle.rmdir()
        for _ in range(2):
            with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
                assert client.replay(1).newest == 2
        assert [act.act for act in recorded(hub.settings.state_dir)] == ["decision.operator"]


class TestPurge:
    def test_old_alerts_go_by_themselves_at_the_start_also_after_a_power_cut(self, folder: Path) -> None:
        with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
            camera.ask(*alert_frames(alert(at=utc_now() - timedelta(hours=23))))
            camera.ask(*alert_frames(alert()))
        with running(settings(folder, keep_hours=22)) as hub, HubClient(hub.settings.replay) as client:
            assert [event.seq for event in client.events()] == [2]
            assert hub.meter.value("lfr_alerts_total", camera="north", category="violence") == 2
        assert [(act.act, act.by, act.details["alerts"]) for act in recorded(hub.settings.state_dir)] == [
            ("purge", "appliance", 1)
        ]

    def test_whoever_keeps_counts_is_told_while_the_journal_still_holds_what_goes(self, folder: Path) -> None:
        with running(settings(folder)) as hub, Peer(zmq.DEALER, hub.settings.cameras) as camera:
            camera.ask(*alert_frames(alert(at=utc_now() - timedelta(hours=23))))
        held = []

        def count() -> None:
            with Journal.open_reader(folder / "state") as journal:
                held.append(len(list(journal.events())))

        with running(settings(folder, keep_hours=24, before_purge=count)):
            assert held == []
        with running(settings(folder, keep_hours=22, before_purge=count)) as hub:
            assert held == [1]
            assert not hub.journal.holds_before(utc_now())


class TestAddresses:
    def test_a_second_hub_is_told_that_the_address_is_taken_and_the_first_goes_on(self, folder: Path) -> None:
        with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
            with pytest.raises(StreamError, match="taken by another process"):
                Hub(settings(folder, state_dir=folder / "other"))
            assert client.replay(1).newest == 0

    def test_a_taken_port_is_said(self, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(StreamError, match="taken by another process"):
                Hub(settings(folder, publish=f"tcp://127.0.0.1:{taken.getsockname()[1]}"))

    def test_the_socket_of_a_killed_hub_is_replaced(self, folder: Path) -> None:
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(folder / "replay"))
        left.close()
        with running(settings(folder)) as hub, HubClient(hub.settings.replay) as client:
            assert client.replay(1).newest == 0

    def test_a_file_in_the_way_is_left_alone(self, folder: Path) -> None:
        (folder / "replay").write_text("a letter")
        with pytest.raises(StreamError, match="is in the way"):
            Hub(settings(folder))
        assert (folder / "replay").read_text() == "a letter"

    def test_sockets_are_for_the_owner_alone(self, folder: Path) -> None:
        with running(settings(folder)):
            assert {path.stat().st_mode & 0o077 for path in folder.iterdir() if path.is_socket()} == {0}

    def test_a_path_that_is_too_long_is_said(self, folder: Path) -> None:
        with pytest.raises(StreamError, match="too long"):
            Hub(settings(folder, publish=f"ipc://{folder}/{'p' * 120}"))

    def test_a_journal_that_cannot_be_opened_leaves_no_socket_behind(self, folder: Path) -> None:
        (folder / "state").write_text("")
        with pytest.raises(JournalError):
            Hub(settings(folder))
        assert [path.name for path in folder.iterdir()] == ["state"]


KEYS = st.sampled_from(["id", "v", "seq", "alert_id", "kind", "at", "camera", "act", "by", "from"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)
FRAMES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"alert", b"sighting", b"preview", b"status", b"replay", b"fetch", b"decide", b"record", b"{}"]),
    st.sampled_from([body_of(alert()), body_of(sighting()), picture(), b'{"from": 1}', b'{"id": "x"}']),
    JSON.map(lambda value: json.dumps(value).encode()),
)


def test_nothing_that_arrives_brings_the_hub_down(folder: Path) -> None:
    with (
        running(settings(folder)) as hub,
        Peer(zmq.DEALER, hub.settings.cameras) as camera,
        Peer(zmq.DEALER, hub.settings.replay) as reader,
        HubClient(hub.settings.replay) as client,
    ):

        @hypothesis_settings(
            max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
        )
        @given(st.lists(FRAMES, min_size=1, max_size=12))
        def throw(frames: Any) -> None:
            camera.send(*frames)
            reader.send(*frames)

        throw()
        made = alert(id=new_id())
        camera.send(*alert_frames(made))
        while (heard := camera.hear()) != [b"ack", made.id.encode(), b"%d" % hub.journal.newest]:
            assert heard is not None
        assert client.fetch(made.id).header.id == made.id
