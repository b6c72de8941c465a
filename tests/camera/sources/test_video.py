"""Files, devices and streams through OpenCV: refused in words, in media time that never goes back, and quiet."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from rtsp_camera import OddServer

from appliance.camera.sources import video as module
from appliance.camera.sources.address import CameraAddress
from appliance.camera.sources.options import SourceOptions
from appliance.camera.sources.video import DeviceReader, StreamReader, VideoReader, quiet_opencv
from appliance.core.errors import SourceError, SourceUnusable

COUNT = 5
DEVICE = {"size": "WIDTHxHEIGHT", "fps": "frames a second"}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(COUNT):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    return path


def brightness(reader: VideoReader) -> int:
    return int(reader.retrieve(np.zeros((48, 64, 3), np.uint8))[0].mean())


def test_a_loop_goes_on_in_media_time_from_the_beginning_of_the_file(clip: Path) -> None:
    reader = VideoReader(clip, loop=True)
    reader.open()
    assert not reader.finite
    times, seen = [], []
    for _ in range(3 * COUNT):
        assert reader.advance()
        times.append(reader.media_s)
        seen.append(brightness(reader))
    reader.close()
    assert times == sorted(set(times))
    assert seen[:COUNT] == pytest.approx(seen[COUNT : 2 * COUNT], abs=2)
    assert reader.dropped == {}


def test_a_file_that_may_not_be_read_is_said_so(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceUnusable, match="may not be read by this user"):
        VideoReader(clip, loop=False).open()


def test_a_pipe_is_neither_a_file_nor_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceUnusable, match="neither a file nor a folder"):
        VideoReader(tmp_path / "pipe", loop=False).open()


def test_a_playlist_opens_no_other_file(clip: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    with OddServer(b"HTTP/1.0 404 Not Found\r\n\r\n") as server:
        other = f"http://127.0.0.1:{server.port}/{clip.name}"
        # Without an end of its own it would be read again until the decoder's half a minute is over.
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")
        with pytest.raises(SourceUnusable, match="no picture that can be decoded"):
            VideoReader(playlist, loop=False).open()
        assert server.asked == []


def test_a_device_that_is_not_there_may_be_plugged_in_later() -> None:
    reader = DeviceReader("/dev/video-none", SourceOptions("/dev/video-none", "", DEVICE), 1)
    with pytest.raises(SourceError, match=r"does not exist.*Plug the camera in") as caught:
        reader.open()
    assert not isinstance(caught.value, SourceUnusable)


def test_a_device_of_others_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "video0"
    device.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match="group video"):
        DeviceReader(str(device), SourceOptions("x", "", DEVICE), 1).open()


def test_something_that_is_no_camera_gives_no_pictures(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    with pytest.raises(SourceError, match="gives no pictures"):
        DeviceReader(str(device), SourceOptions("x", "", DEVICE), 1).open()


@pytest.mark.parametrize("query", ["fps=0", "fps=1000", "size=9x9"])
def test_a_device_is_asked_only_for_what_there_can_be(query: str) -> None:
    with pytest.raises(SourceUnusable):
        DeviceReader("/dev/video0", SourceOptions("/dev/video0", query, DEVICE), 1)


def test_a_stream_is_not_opened_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise SourceError("Nobody there.")

    monkeypatch.setattr(module, "check_reachable", unreachable)
    monkeypatch.setattr(module, "_capture", lambda *_: pytest.fail("OpenCV would wait under a lock of its own"))
    with pytest.raises(SourceError, match="Nobody there"):
        StreamReader(CameraAddress("rtsp", "127.0.0.1", 9, "/x"), 1, 1).open()


def test_an_opening_sets_only_its_own_options_and_no_verbose_log(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;everything")
    monkeypatch.setenv("OPENCV_FFMPEG_LOGLEVEL", "48")
    reader = VideoReader(clip, loop=False)
    reader.open()
    reader.close()
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "protocol_whitelist;file,crypto,data"
    assert os.environ["OPENCV_FFMPEG_LOGLEVEL"] == "-8"


def test_opencv_is_kept_quiet() -> None:
    quiet_opencv()
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT


def test_a_picture_that_is_no_colour_picture_could_not_be_decoded(clip: Path) -> None:
    class Grey:
        def retrieve(self, into: object) -> tuple[bool, np.ndarray]:
            return True, np.zeros((4, 4), np.uint8)

        def release(self) -> None:
            pass

    reader = VideoReader(clip, loop=False)
    reader._capture = Grey()  # type: ignore[assignment]
    with pytest.raises(SourceError, match="could not be decoded"):
        reader.retrieve(np.zeros((4, 4, 3), np.uint8))
    reader.close()
    assert not reader.advance()
