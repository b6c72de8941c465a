"""No user and no password is left in a text that is shown or logged."""

import pytest

from appliance.core.credentials import mask_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://van:s3cret@10.0.0.21/stream1", "rtsp://***@10.0.0.21/stream1"),
        ("rtsp://van:s3@cret@10.0.0.21/stream1", "rtsp://***@10.0.0.21/stream1"),
        ("rtsp://van:s3/cret@10.0.0.21/1 is no address", "rtsp://***@10.0.0.21/1 is no address"),
        ("rtsp://van:s@3/cret@10.0.0.21/1", "rtsp://***@10.0.0.21/1"),
        ("rtsp://van:s3'c\"ret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://van:s3 cret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://:s3/cret@cam/1", "rtsp://***@cam/1"),
        ("open RTSP://van:s3cret@cam/1, then http://a:b@c", "open RTSP://***@cam/1, then http://***@c"),
        ("rtsp://cam:554/user=van&password=s3cret&channel=1", "rtsp://cam:554/user=***&password=***&channel=1"),
        ("http://cam/mjpeg?Pwd=s3cret", "http://cam/mjpeg?Pwd=***"),
        ("", ""),
        ("rtsp://cam/path@x", "rtsp://cam/path@x"),
        ("no address at all, me@example.org", "no address at all, me@example.org"),
    ],
)
def test_credentials_are_masked_wherever_a_camera_takes_them(text: str, shown: str) -> None:
    assert mask_credentials(text) == shown


def test_masking_again_changes_nothing() -> None:
    once = mask_credentials("rtsp://van:s3cret@10.0.0.21/?token=abc")
    assert mask_credentials(once) == once
    assert "s3cret" not in once
    assert "abc" not in once
