"""Where a camera is, with user and password kept out of everything that is shown."""

from pathlib import Path

import pytest

from appliance.camera.sources.address import CameraAddress, parse_address, read_credentials, scheme_of, split_query
from appliance.config.live import Camera
from appliance.core.errors import SecretError, SourceUnusable


def address(source: str, credentials: Path | None = None) -> CameraAddress:
    return parse_address(Camera(name="gate", source=source, credentials=credentials))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "camera.secret"
    path.write_bytes(b"van:s3:cr/et@\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("source", "port", "netloc"),
    [
        ("rtsp://10.0.0.21/stream1", 554, "10.0.0.21"),
        ("rtsp://10.0.0.21:8554/stream1", 8554, "10.0.0.21:8554"),
        ("rtsps://cam.local/1", 322, "cam.local"),
        ("http://cam.local/mjpg", 80, "cam.local"),
        ("https://cam.local/mjpg", 443, "cam.local"),
        ("RTSP://[fe80::1]:554/1", 554, "[fe80::1]"),
        ("rtsp://[fe80::1]:5540/1", 5540, "[fe80::1]:5540"),
    ],
)
def test_a_port_is_the_usual_one_unless_it_is_given(source: str, port: int, netloc: str) -> None:
    found = address(source)
    assert (found.port, found.netloc) == (port, netloc)


def test_path_and_query_are_kept_and_a_fragment_is_not() -> None:
    assert address("rtsp://cam/a/b?channel=1&x=2#top").bare_url == "rtsp://cam/a/b?channel=1&x=2"


def test_user_and_password_are_for_the_decoder_alone() -> None:
    found = address("rtsp://van:s%2Fcret@cam:8554/1")
    assert (found.user, found.password) == ("van", "s/cret")
    assert found.secret_url == "rtsp://van:s%2Fcret@cam:8554/1"
    assert found.bare_url == "rtsp://cam:8554/1"
    for shown in (str(found), repr(found)):
        assert "cret" not in shown
        assert "van" not in shown


def test_the_file_of_credentials_is_used_and_its_signs_are_encoded(secret: Path) -> None:
    found = address("rtsp://old:gone@cam/1", secret)
    assert (found.user, found.password) == ("van", "s3:cr/et@")
    assert found.secret_url == "rtsp://van:s3%3Acr%2Fet%40@cam/1"


def test_without_a_user_nothing_is_added() -> None:
    assert address("rtsp://cam/1").secret_url == "rtsp://cam/1"


@pytest.mark.parametrize("source", ["rtsp://", "rtsp:///1", "rtsp://cam:0x1/1", "rtsp://cam:99999/1", "rtsp://a b/1"])
def test_what_is_no_address_is_refused_with_how_one_looks(source: str) -> None:
    with pytest.raises(SourceUnusable, match="rtsp://HOST:PORT/PATH"):
        address(source)


@pytest.mark.parametrize(
    ("source", "scheme"),
    [("RTSP://cam/1", "rtsp"), ("street:?people=3", "street"), ("/dev/video0", ""), ("clips/a.mp4", ""), ("", "")],
)
def test_the_kind_of_a_source(source: str, scheme: str) -> None:
    assert scheme_of(source) == scheme


def test_a_path_is_cut_at_its_query_unless_the_file_is_called_so(tmp_path: Path) -> None:
    odd = tmp_path / "what?.gif"
    odd.touch()
    assert split_query(str(odd)) == (str(odd), "")
    assert split_query(f"{tmp_path}?fps=2") == (str(tmp_path), "fps=2")
    assert split_query("a.mp4") == ("a.mp4", "")
    assert split_query("a.mp4?x=1?2") == ("a.mp4", "x=1?2")


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"van:s3cret", ("van", "s3cret")), (b"van:s3cret\r\n", ("van", "s3cret")), (b"van:\n", ("van", ""))],
)
def test_credentials_are_one_line(secret: Path, content: bytes, found: tuple[str, str]) -> None:
    secret.write_bytes(content)
    assert read_credentials(secret) == found


@pytest.mark.parametrize("content", [b"", b":s3cret", b"s3cret", b"a:s3cret\nb:c", b"van:" + b"s" * 2000])
def test_anything_else_is_refused_without_showing_it(secret: Path, content: bytes) -> None:
    secret.write_bytes(content)
    with pytest.raises(SecretError, match="does not hold one line") as caught:
        read_credentials(secret)
    assert "s3cret" not in str(caught.value)


def test_credentials_that_are_missing_or_no_file_are_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"does not exist.*chmod 600"):
        read_credentials(tmp_path / "gone")
    with pytest.raises(SecretError, match="is not a file"):
        read_credentials(tmp_path)
