"""A finding for everything that goes wrong on purpose; a defect is not made into one."""

from collections.abc import Iterator

import pytest

from appliance.core.errors import LfrError
from appliance.doctor.findings import Finding, guarded, healthy

FINE = Finding("disk", "ok", "there is room")


def test_an_error_with_a_remedy_becomes_a_finding_after_those_before_it() -> None:
    def check() -> Iterator[Finding]:
        yield FINE
        raise LfrError("The list is torn.", "Build it anew.")

    assert guarded("watchlist", check) == [FINE, Finding("watchlist", "fail", "The list is torn.", "Build it anew.")]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (PermissionError(13, "Permission denied", "/srv/x"), "Permission denied (/srv/x)."),
        (OSError(28, "No space left on device"), "No space left on device."),
        (OSError("torn"), "torn."),
    ],
)
def test_a_refusal_of_the_machine_names_the_file_where_there_is_one(refusal: OSError, said: str) -> None:
    def check() -> Iterator[Finding]:
        yield from ()
        raise refusal

    (found,) = guarded("disk", check)
    assert (found.area, found.level, found.text) == ("disk", "fail", said)
    assert found.remedy


def test_a_defect_of_the_appliance_is_not_taken_for_a_finding() -> None:
    def check() -> Iterator[Finding]:
        yield FINE
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded("disk", check)


def test_warnings_do_not_stop_a_deployment_and_one_failure_does() -> None:
    warned = Finding("disk", "warn", "slow")
    assert healthy([])
    assert healthy([FINE, warned])
    assert not healthy([FINE, warned, Finding("disk", "fail", "full")])
