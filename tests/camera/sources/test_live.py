"""A live source holds the newest frame, never blocks, says in words what is wrong, and comes back for ever."""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from own_ports import own_port
from present import present
from rtsp_camera import OddServer, RtspCamera
from waiting import until

from appliance.camera.sources.live import LiveSource, Timing
from appliance.camera.sources.open import open_source
from appliance.config.live import Camera
from appliance.core.errors import SourceError, SourceRefused

QUICK = Timing(open_timeout_s=4, read_timeout_s=1, backoff_first_s=0.05, backoff_cap_s=0.3, refused_s=0.4, hang_s=0.5)


class ScriptedReader:
    """A camera whose every move the test decides: frames carry their number in each pixel."""

    finite, live, fps, notice = False, True, 25.0, ""

    def __init__(self) -> None:
        self.shape: tuple[int, int, int] | None = (48, 64, 3)
        self.media_s = 0.0
        self.dropped: dict[str, int] = {}
        self.number = -1
        self.next = threading.Semaphore(0)
        self.opens: list[Exception | None] = []
        self.lost = False
        self.hang = threading.Event()
        self.hang.set()

    def open(self) -> None:
        if self.opens and (error := self.opens.pop(0)) is not None:
            raise error

    def advance(self) -> Any:
        self.hang.wait(20)
        self.next.acquire(timeout=20)
        self.number += 1
        if self.lost:
            self.lost = False
            return False
        return True

    def retrieve(self, into: Any) -> Any:
        image = into if into.shape == self.shape else np.empty(present(self.shape), np.uint8)
        image[:] = self.number + 1
        return image, None

    def close(self) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[Any]:
    reader = ScriptedReader()
    source = LiveSource(reader, "scripted", QUICK)
    yield reader, source
    reader.hang.set()
    source._stop.set()
    reader.next.release(50)
    source.close()


def live(url: Any, **more: Any) -> Any:
    return open_source(Camera(name="gate", source=url, **more), QUICK)


def test_only_the_newest_frame_waits_and_the_others_are_counted(scripted: Any) -> None:
    reader, source = scripted
    reader.next.release(6)
    until(lambda: source.dropped == {"superseded": 5})  # told with the sixth in its place, unlike its number
    frame = source.read(20)
    assert (frame.index, frame.image_bgr[0, 0, 0], frame.media_s) == (5, 6, None)
    assert source.dropped == {"superseded": 5}
    assert source.read(0.05) is None
    source.release(frame)


def test_a_frame_that_the_reader_holds_is_never_overwritten(scripted: Any) -> None:
    reader, source = scripted
    held = []
    for _ in range(3):
        reader.next.release()
        held.append(source.read(20))
    values = [int(frame.image_bgr[0, 0, 0]) for frame in held]
    reader.next.release(20)
    until(lambda: source.frames == 23)
    assert [int(frame.image_bgr.max()) for frame in held] == values == [1, 2, 3]
    newest = source.read(20)
    reader.next.release(2)
    until(lambda: source.dropped.get("unreleased") == 2)
    assert source.buffers_held == 4
    for frame in (*held, newest):
        pixels = frame.image_bgr
        source.release(frame)
        assert not pixels.any()


def test_closing_wipes_the_frame_that_nobody_read(scripted: Any) -> None:
    reader, source = scripted
    reader.next.release()
    until(lambda: source._slot is not None)
    pixels = source._slot.image_bgr
    source._stop.set()
    reader.next.release(5)
    source.close()
    assert not pixels.any()
    assert source.read(5) is None


def test_a_changed_resolution_gives_frames_of_the_new_size(scripted: Any) -> None:
    reader, source = scripted
    reader.next.release()
    first = source.read(20)
    reader.shape = (96, 128, 3)
    reader.next.release()
    second = source.read(20)
    assert (first.image_bgr.shape, second.image_bgr.shape) == ((48, 64, 3), (96, 128, 3))
    assert source.resolution_wh == (128, 96)
    source.release(first)
    source.release(second)
    assert source.buffers_held == 0


def test_a_lost_camera_comes_back_and_says_since_when_it_was_away(scripted: Any) -> None:
    reader, source = scripted
    reader.next.release()
    source.release(source.read(20))
    live_since = source.since
    reader.opens = [SourceError("The cable is out."), SourceError("The cable is out."), None]
    reader.lost = True
    reader.next.release()
    until(lambda: source.state == "reconnecting" and source.detail == "The cable is out.")
    assert source.since > live_since
    reader.next.release()
    frame = source.read(20)
    assert frame is not None
    assert (source.state, source.detail, source.reconnects) == ("live", "", 1)
    source.release(frame)


def test_back_off_grows_to_its_cap_with_chance_and_is_slow_after_a_refusal(scripted: Any) -> None:
    _, source = scripted
    source._timing = Timing(backoff_first_s=0.5, backoff_cap_s=30, refused_s=30)
    waits = [source._backoff_s(SourceError("x")) for _ in range(40)]
    assert 0.25 <= waits[0] <= 0.5
    assert 0.5 <= waits[1] <= 1.0
    assert all(15 <= wait <= 30 for wait in waits[7:])
    assert len(set(waits[7:])) > 20
    source._failures = 0
    assert source._backoff_s(SourceRefused("x")) >= 15


def test_a_decoder_that_hangs_is_told_and_does_not_hold_up_close() -> None:
    reader = ScriptedReader()
    timing = Timing(open_timeout_s=0.1, read_timeout_s=0.1, hang_s=0.2)
    source = LiveSource(reader, "hung", timing)
    reader.hang.clear()
    until(lambda: source.state == "failed")
    assert "restart this camera's process" in source.detail
    source.close()
    assert source._thread.is_alive(), "the decoder was waited for"
    reader.hang.set()
    reader.next.release(9)


def test_an_absent_camera_is_tried_again_for_ever_without_blocking() -> None:
    port = own_port()
    with live(f"rtsp://127.0.0.1:{port}/stream") as source:
        until(lambda: source._failures >= 3)
        assert (source.state, source.read(0.05)) == ("reconnecting", None)
        assert f"127.0.0.1:{port} refuses connections" in source.detail


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "accepts the connection and then says nothing"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "does not speak RTSP"),
        (b"\x00\xff" * 200, "does not speak RTSP"),
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", "does not exist on that camera"),
        (b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n", "answers with RTSP status 503"),
        (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 12\r\n\r\nm=audio 0 x\n", "offers no video"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * 90_000, "does not speak RTSP"),
        (b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="a", nonce="b"\r\n\r\n', "wants a user"),
    ],
    ids=["silent", "web page", "garbage", "no such path", "unavailable", "no video", "endless", "no credentials"],
)
def test_a_server_that_misbehaves_is_described_in_words(answer: Any, said: Any) -> None:
    timing = Timing(open_timeout_s=0.6, read_timeout_s=0.5, backoff_first_s=0.05, backoff_cap_s=0.1, refused_s=0.1)
    with OddServer(*([answer] if answer else [])) as server:
        source = open_source(Camera(name="gate", source=f"rtsp://127.0.0.1:{server.port}/stream"), timing)
        with source:
            until(lambda: said in source.detail)
            assert source.state == "reconnecting"


def test_a_stream_is_opened_before_anything_is_asked_about_it() -> None:
    """A description asked for first would have the camera prepare the stream twice, and refuse the second time."""
    with OddServer(*[b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n"] * 2) as server:
        with live(f"rtsp://127.0.0.1:{server.port}/s") as source:
            until(lambda: "offers no video" in source.detail)
        asked = [text.decode() for text in server.asked]
    described = [i for i, text in enumerate(asked) if text.startswith("DESCRIBE")]
    assert "User-Agent: Lavf" in asked[described[0]]
    assert asked[0].startswith("OPTIONS")


def test_a_digest_challenge_is_answered_without_the_password() -> None:
    challenge = b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="cam", nonce="n1", qop="auth"\r\n\r\n'
    with (
        OddServer(challenge, b"RTSP/1.0 404 Not Found\r\n\r\n") as server,
        live(f"rtsp://van:s3cret@127.0.0.1:{server.port}/s") as source,
    ):
        until(lambda: "does not exist on that camera" in source.detail)
        ours = [text for text in map(bytes.decode, server.asked) if "User-Agent: lfr" in text]
        plain, signed = [text for text in ours if text.startswith("DESCRIBE")][:2]
        url = f"rtsp://127.0.0.1:{server.port}/s"
    assert "Authorization" not in plain
    given = dict(re.findall(r'(\w+)="?([^",\s]+)', signed.partition("Digest ")[2]))
    ha1, ha2 = md5("van:cam:s3cret"), md5(f"DESCRIBE:{url}")
    assert given["response"] == md5(f"{ha1}:n1:00000001:{given['cnonce']}:auth:{ha2}")
    assert "s3cret" not in signed


def md5(text: Any) -> Any:
    return hashlib.md5(text.encode()).hexdigest()


def test_motion_jpeg_over_http_is_read_until_it_stalls() -> None:
    jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
    part = b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n"
    head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n"
    # Our own look at the port comes first, asks nothing and goes.
    with OddServer(head + 30 * part) as server, live(f"http://127.0.0.1:{server.port}/mjpeg") as source:
        frame = source.read(30)
        assert frame is not None, source.detail
        assert frame.image_bgr.shape == (120, 160, 3)
        assert abs(int(frame.image_bgr.mean()) - 90) < 3
        source.release(frame)
        until(lambda: source.state == "reconnecting")


def test_a_real_camera_that_is_killed_and_comes_back_goes_on() -> None:
    port = own_port()  # the second camera needs the first one's
    patient = replace(QUICK, read_timeout_s=20)  # on a busy machine a camera may well be silent for a second
    with (
        RtspCamera("320x240", port=port) as first,
        open_source(Camera(name="gate", source=first.url), patient) as source,
    ):
        frame = source.read(30)
        assert frame is not None, source.detail
        assert frame.image_bgr.shape == (240, 320, 3)
        assert frame.image_bgr.any()
        source.release(frame)
        first.kill()
        until(lambda: source.state == "reconnecting")
        # As a camera that was set to another size while it was away.
        with RtspCamera("640x480", port=port):
            until(lambda: source.resolution_wh == (640, 480) and source.state == "live")
            assert (source.reconnects, source.detail) == (1, "")
            until(lambda: source.fps > 5 and present(source.last_frame_age_s) < 1)


def test_a_real_camera_that_stalls_is_noticed_within_the_read_timeout() -> None:
    with RtspCamera("320x240") as server, live(server.url) as source:
        assert source.read(30) is not None, source.detail
        os.kill(server.process.pid, 19)  # SIGSTOP: the connection stays, nothing comes
        until(lambda: source.state == "reconnecting", within_s=20)  # the decoder by itself would wait for 30 s
        os.kill(server.process.pid, 18)


def test_a_real_camera_with_a_password_opens_with_the_file_of_credentials(tmp_path: Path) -> None:
    secret = tmp_path / "gate.secret"
    secret.write_text("van:s3cr@t/1\n")
    secret.chmod(0o600)
    with RtspCamera("320x240", 15, "van", "s3cr@t/1") as server:
        with live(server.url, credentials=secret) as source:
            frame = source.read(30)
            assert frame is not None, source.detail
        with live(server.url.replace("//", "//van:wrong@")) as source:
            until(lambda: "refuses this user and password" in source.detail)
            assert "wrong" not in source.detail
            until(lambda: "tried again slowly" in source.detail)


LEAK = """
import os, sys, time
from appliance.camera.sources.live import Timing
from appliance.camera.sources.open import open_source
from appliance.config.live import Camera
timing = Timing(open_timeout_s=1, read_timeout_s=1, backoff_first_s=0.05, backoff_cap_s=0.05, refused_s=0.05)
cameras = [Camera(name="gate", source=url) for url in sys.argv[1:]]
sources = [open_source(camera, timing) for camera in cameras]
time.sleep(3)
end = time.monotonic() + 40
while any(source.state == "starting" for source in sources) and time.monotonic() < end:
    time.sleep(0.05)
for camera, source in zip(cameras, sources):
    print(repr(camera), source.state, source.detail, vars(source._reader), source)
    source.close()
sys.stdout.flush()
os._exit(0)  # a decoder thread that is still connecting would abort the interpreter on its way out
"""


def test_credentials_appear_in_nothing_that_is_printed_not_even_by_the_decoder() -> None:
    sdp = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    fine = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(sdp)
    dead = own_port()
    with OddServer() as silent, OddServer(b"garbage") as garbage, OddServer(fine + sdp) as lying:
        ports = (dead, silent.port, garbage.port, lying.port)
        urls = [f"rtsp://van:s3cret@127.0.0.1:{port}/user=van&password=s3cret" for port in ports]
        urls.append(f"http://van:s3cret@127.0.0.1:{garbage.port}/mjpeg?password=s3cret")
        environment = {
            **os.environ,
            "OPENCV_LOG_LEVEL": "VERBOSE",
            "OPENCV_FFMPEG_DEBUG": "1",
            "OPENCV_FFMPEG_LOGLEVEL": "56",
        }
        done = subprocess.run(
            [sys.executable, "-c", LEAK, *urls], capture_output=True, text=True, timeout=55, check=True, env=environment
        )
    assert done.stdout.count("reconnecting") == 5, done.stdout
    assert "s3cret" not in done.stdout + done.stderr
