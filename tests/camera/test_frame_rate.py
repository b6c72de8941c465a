"""A machine that is too slow for its camera says so; a camera that gives few frames is no fault of the machine."""

from appliance.camera.frame_rate import FrameRate


def test_few_frames_of_many_are_said() -> None:
    rate = FrameRate()
    for i in range(20):
        rate.looked(i / 2)
    assert "only 2.0 of 25 frames a second" in rate.trouble(25.0)


def test_a_slow_source_or_a_fast_machine_is_no_trouble() -> None:
    slow, fast = FrameRate(), FrameRate()
    for i in range(200):
        slow.looked(i / 2)
        fast.looked(i / 12)
    assert slow.trouble(2.0) == ""
    assert fast.trouble(25.0) == ""


def test_the_first_seconds_are_not_judged() -> None:
    rate = FrameRate()
    assert rate.trouble(25.0) == ""
    rate.looked(0.0)
    rate.looked(2.0)
    assert rate.trouble(25.0) == ""


def test_what_is_long_ago_is_forgotten() -> None:
    rate = FrameRate()
    for i in range(12):
        rate.looked(i / 2)
    for i in range(200):
        rate.looked(20 + i / 12)
    assert rate.trouble(25.0) == ""
