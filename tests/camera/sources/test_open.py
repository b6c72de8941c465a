"""Files and folders give every frame, the same on every run; what is damaged is told and counted, never waited for."""

import hashlib
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from present import present

from appliance.camera.sources.open import open_source
from appliance.config.live import Camera
from appliance.core.errors import SecretError, SourceUnusable


def camera(source: Any, pace: Any = "fast", **more: Any) -> Any:
    return Camera(name="clip", source=str(source), pace=pace, **more)


def read_all(source: Any) -> Any:
    """Every frame's hash and media time, and the source at its end."""
    frames = []
    with open_source(camera(source)) as opened:
        while (frame := opened.read(2)) is not None:
            frames.append((hashlib.sha256(frame.image_bgr.data).hexdigest(), frame.media_s, frame.index))
            opened.release(frame)
    return frames, opened


def picture(number: Any, size_wh: Any = (160, 120)) -> Any:
    image = np.full((size_wh[1], size_wh[0], 3), 40, np.uint8)
    cv2.rectangle(image, (number * 7 % 120, 20), (number * 7 % 120 + 30, 90), (30, 200, 20 + number * 9 % 200), -1)
    return image


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An MP4, a GIF with uneven durations, a truncated MP4, and a stream that changes its size."""
    folder = tmp_path_factory.mktemp("clips")
    writer = cv2.VideoWriter(str(folder / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 120))
    for number in range(40):
        writer.write(picture(number))
    writer.release()
    stills = [PillowImage.fromarray(picture(number)[..., ::-1]) for number in range(6)]
    durations = [100, 50, 200, 100, 70, 100]
    stills[0].save(folder / "a.gif", save_all=True, append_images=stills[1:], duration=durations, loop=0)
    return folder


@pytest.mark.parametrize(("name", "count"), [("a.mp4", 40), ("a.gif", 6)])
def test_a_file_gives_every_frame_and_the_same_ones_each_time(clips: Any, name: Any, count: Any) -> None:
    first, source = read_all(clips / name)
    second, _ = read_all(clips / name)
    assert len(first) == count
    assert first == second
    assert [index for _, _, index in first] == list(range(count))
    assert (source.state, source.dropped, source.detail) == ("ended", {}, "")


def test_media_time_honours_the_durations_of_a_gif(clips: Any) -> None:
    frames, _ = read_all(clips / "a.gif")
    assert [media_s for _, media_s, _ in frames] == pytest.approx([0, 0.1, 0.15, 0.35, 0.45, 0.52], abs=0.011)


def test_captured_utc_moves_with_media_time(clips: Any) -> None:
    with open_source(camera(clips / "a.mp4")) as source:
        first, second = present(source.read(20)), present(source.read(20))
        assert (second.captured_at_utc - first.captured_at_utc).total_seconds() == pytest.approx(0.1, abs=0.001)


def test_a_file_at_real_time_drops_for_a_slow_reader_and_ends(clips: Any) -> None:
    started, count = time.monotonic(), 0
    with open_source(camera(clips / "a.gif", pace="realtime")) as source:
        while source.state != "ended":
            frame = source.read(20)
            if frame is not None:
                count += 1
                time.sleep(0.25)
                source.release(frame)
        assert time.monotonic() - started > 0.4
        assert 1 <= count < 6
        assert count + source.dropped["superseded"] == 6
        assert source.read(5) is None


def test_a_file_that_is_cut_off_ends_with_what_is_missing(clips: Any, tmp_path: Path) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not on this machine; install: apt-get install ffmpeg")
    whole = tmp_path / "whole.mp4"
    command = [ffmpeg, "-loglevel", "error", "-i", clips / "a.mp4", "-c", "copy", "-movflags", "+faststart", whole]
    subprocess.run(command, check=True, timeout=20)
    cut = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    frames, source = read_all(cut)
    assert 2 < len(frames) < 38
    assert source.state == "ended"
    assert source.dropped["missing"] == 40 - len(frames)
    assert "cut off or damaged" in source.detail


def test_damage_in_the_middle_of_a_file_does_not_hang(clips: Any, tmp_path: Path) -> None:
    data = bytearray((clips / "a.mp4").read_bytes())
    middle = len(data) // 3
    data[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
    (tmp_path / "hurt.mp4").write_bytes(data)
    frames, source = read_all(tmp_path / "hurt.mp4")
    assert frames
    assert source.state == "ended"


def test_a_picture_size_that_changes_in_mid_stream_keeps_frames_coming(tmp_path: Path) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not on this machine; install: apt-get install ffmpeg")
    mixed = b""
    for size in ("320x240", "640x360"):
        part = tmp_path / f"{size}.ts"
        made = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate=10", "-t", "1", "-c:v", "mpeg2video"]
        subprocess.run([ffmpeg, "-loglevel", "error", *made, part], check=True, timeout=20)
        mixed += part.read_bytes()
    (tmp_path / "mixed.ts").write_bytes(mixed)
    frames, source = read_all(tmp_path / "mixed.ts")
    assert len(frames) >= 19
    media = [media_s for _, media_s, _ in frames]
    assert media == sorted(set(media))
    assert source.state == "ended"


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 50], ids=["empty", "text"])
def test_a_file_without_a_picture_is_unusable_and_says_what_to_do(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceUnusable, match=r"bad\.mp4 holds no picture.*H\.264"):
        open_source(camera(path))


@pytest.mark.parametrize("pace", ["fast", "realtime"])
def test_a_missing_file_is_unusable_and_named(tmp_path: Path, pace: Any) -> None:
    with pytest.raises(SourceUnusable, match=r"gone\.mp4 does not exist"):
        open_source(camera(tmp_path / "gone.mp4", pace))


def png_header(width: Any, height: Any) -> Any:
    """A PNG that claims to be huge and holds next to nothing."""

    def chunk(kind: Any, data: Any) -> Any:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def test_a_folder_gives_images_in_natural_order_and_counts_the_unreadable(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture(number))
    cv2.imwrite(str(tmp_path / "3.png"), picture(3, (200, 100)))
    (tmp_path / "4.jpg").write_bytes(b"no image")
    (tmp_path / "5.png").write_bytes(png_header(40_000, 40_000))
    (tmp_path / "6.png").write_bytes(png_header(9_000, 9_000))
    (tmp_path / "notes.txt").write_text("not an image")
    with open_source(camera(f"{tmp_path}?fps=2")) as source:
        images = []
        while (frame := source.read(20)) is not None:
            images.append((frame.image_bgr.copy(), frame.media_s))
            source.release(frame)
    assert [media_s for _, media_s in images] == [0, 0.5, 1.0, 1.5]
    for (image, _), expected in zip(images, (1, 2, 3, 10), strict=True):
        assert np.array_equal(image, picture(expected, (200, 100) if expected == 3 else (160, 120)))
    assert source.dropped == {"unreadable": 3}
    assert source.state == "ended"
    assert "3 of 7 images" in source.detail


def test_a_folder_of_nothing_readable_fails_and_an_empty_one_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="holds no images"):
        open_source(camera(tmp_path))
    (tmp_path / "a.jpg").write_bytes(b"no image")
    frames, source = read_all(tmp_path)
    assert (frames, source.state) == ([], "failed")
    assert "1 of 1 images" in source.detail


def test_the_pattern_is_finite_on_request_and_the_same_each_time() -> None:
    first, source = read_all("test:?size=320x240&fps=10&seconds=3")
    assert len(first) == 30
    assert first == read_all("test:?size=320x240&fps=10&seconds=3")[0]
    assert source.resolution_wh == (320, 240)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("test:?sise=1x1", r"no option 'sise' here\. Allowed: size=WIDTHxHEIGHT; fps=.*seconds="),
        ("test:?size=abc", "size=abc is not allowed; it must be WIDTHxHEIGHT"),
        ("test:?fps=-2", "it must be a number from"),
        ("test:?fps=1&fps=2", "given twice"),
        ("gopher://cam/1", r"gopher: is not a kind of source.*rtsp://.*test:"),
        ("rtsp://", "is not an address"),
        ("rtsp://host:99999/x", "is not an address"),
    ],
)
def test_what_cannot_be_a_source_is_refused_with_what_is_allowed(source: Any, said: Any) -> None:
    with pytest.raises(SourceUnusable, match=said):
        open_source(camera(source, pace="realtime"))


NAMED = {"named": "appliance.camera.sources.pattern:open_pattern"}


def test_a_kind_of_source_that_a_room_above_names_is_opened_by_it() -> None:
    with open_source(camera("named:?seconds=1&fps=3"), simulated=NAMED) as source:
        assert present(source.read(20)).media_s == 0


def test_a_kind_of_source_that_nobody_named_is_not_there_and_those_named_are_told() -> None:
    with pytest.raises(SourceUnusable, match="named: is not a kind of source"):
        open_source(camera("named:?seconds=1"))
    with pytest.raises(SourceUnusable, match="named:, /dev/video"):
        open_source(camera("gopher://cam/1"), simulated=NAMED)


def test_nobody_who_has_no_such_source_imports_what_opens_it() -> None:
    simulated = {"named": "no.such.module:open"}
    with open_source(camera("test:?seconds=1"), simulated=simulated) as source:
        assert source.read(20) is not None
    with pytest.raises(ImportError):
        open_source(camera("named:"), simulated=simulated)


def test_a_simulated_source_takes_no_credentials(tmp_path: Path) -> None:
    path = tmp_path / "camera.secret"
    path.write_text("van:s3cret\n")
    path.chmod(0o600)
    with pytest.raises(SourceUnusable, match="credentials are for cameras"):
        open_source(camera("test:", credentials=path))


def test_a_live_camera_takes_no_pace_fast() -> None:
    with pytest.raises(SourceUnusable, match="pace: fast is for files"):
        open_source(camera("rtsp://127.0.0.1:9/x", pace="fast"))


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"van:s3cret\n", 0o644, "can be read by others"),
        (b"nothing of the kind", 0o600, "does not hold one line"),
        (b"a:b\nc:d\n", 0o600, "does not hold one line"),
        (b"\xff\xfes3cret", 0o600, "does not hold one line"),
    ],
)
def test_a_file_of_credentials_that_is_not_one_is_a_secret_error(
    tmp_path: Path, content: Any, mode: Any, said: Any
) -> None:
    path = tmp_path / "camera.secret"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(SecretError, match=said) as caught:
        open_source(camera("rtsp://127.0.0.1:9/x", pace="realtime", credentials=path))
    assert "s3cret" not in str(caught.value)
    # A traceback prints the whole chain, and an error of decoding shows the bytes.
    assert not isinstance(caught.value.__context__, UnicodeDecodeError)


def test_a_released_frame_is_wiped_and_its_buffer_used_again(clips: Any) -> None:
    with open_source(camera(clips / "a.mp4")) as source:
        frame = present(source.read(20))
        pixels = frame.image_bgr
        assert pixels.any()
        source.release(frame)
        assert not pixels.any()
        assert frame.image_bgr.size == 0
        following = present(source.read(20))
        assert following.image_bgr is pixels
        source.release(frame)
        assert pixels.any(), "a second release must not wipe the frame that came after"
        source.release(following)


def test_buffers_are_bounded_and_a_reader_that_keeps_them_waits(clips: Any) -> None:
    with open_source(camera(clips / "a.mp4"), buffers=3) as source:
        held = [present(source.read(20)) for _ in range(3)]
        copies = [frame.image_bgr.copy() for frame in held]
        assert source.read(0.05) is None
        assert (source.state, source.buffers_held) == ("live", 3)
        assert all(np.array_equal(frame.image_bgr, copy) for frame, copy in zip(held, copies, strict=True))
        source.release(held[0])
        assert present(source.read(20)).index == 3
