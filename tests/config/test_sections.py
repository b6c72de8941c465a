"""The shared parts: what each refuses, and how paths in them become absolute."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from appliance.config.sections import Alerts, Console, Metrics, Models, Redaction, Section


class Inner(Section):
    file: Path = Field(description="a file")


class Outer(Section):
    inner: Inner = Field(description="a section")
    several: tuple[Inner, ...] = Field((), description="a list of sections")
    words: tuple[str, ...] = Field((), description="a list of words")
    maybe: Path | None = Field(None, description="perhaps a file")


@pytest.mark.parametrize("section", [Models, Redaction, Metrics, Console])
def test_a_section_of_which_nothing_is_given_is_complete(section: type[Section]) -> None:
    assert section() == section.model_validate({})


def test_an_unknown_key_and_a_later_change_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Metrics.model_validate({"listne": "127.0.0.1:1"})
    with pytest.raises(ValidationError, match="frozen"):
        Metrics().listen = "127.0.0.1:1"  # type: ignore[misc]


def test_paths_become_absolute_in_sections_lists_and_options_and_nowhere_else() -> None:
    outer = Outer(inner=Inner(file=Path("a")), several=(Inner(file=Path("/b")),), words=("c",), maybe=Path("x/../d"))
    moved = outer.relative_to(Path("/base"))
    assert moved.inner.file == Path("/base/a")
    assert moved.several[0].file == Path("/b")
    assert moved.words == ("c",)
    assert moved.maybe == Path("/base/d")
    assert Outer(inner=Inner(file=Path("a"))).relative_to(Path("/base")).maybe is None


def test_a_home_folder_is_meant_where_a_path_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/van")
    assert Inner(file=Path("~/keys")).relative_to(Path("/base")).file == Path("/home/van/keys")


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("ipc://run/out", "ipc:///base/run/out"),
        ("ipc:///run/out", "ipc:///run/out"),
        ("ipc://@named", "ipc://@named"),
        ("tcp://127.0.0.1:5556", "tcp://127.0.0.1:5556"),
    ],
)
def test_a_relative_socket_is_relative_to_the_file(given: str, becomes: str) -> None:
    alerts = Alerts(state_dir=Path("state"), publish=given, replay=given).relative_to(Path("/base"))
    assert (alerts.publish, alerts.replay, alerts.state_dir) == (becomes, becomes, Path("/base/state"))


@pytest.mark.parametrize(
    "endpoint",
    [
        *("tcp://0.0.0.0:5556", "tcp://*:5556", "tcp://10.0.0.1:5556", "udp://127.0.0.1:5", "ipc://", ""),
        *("tcp://127.0.0.1", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:x"),
    ],
)
def test_the_stream_is_offered_to_this_machine_only(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="endpoint"):
        Alerts(state_dir=Path("state"), publish=endpoint)


@pytest.mark.parametrize("listen", ["8080", ":8080", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http"])
def test_an_address_to_listen_on_has_host_and_port(listen: str) -> None:
    with pytest.raises(ValidationError, match="must look like"):
        Metrics(listen=listen)


@pytest.mark.parametrize("value", [7, None, ["127.0.0.1:1"]])
def test_an_address_that_is_no_text_is_said_to_be_none(value: Any) -> None:
    with pytest.raises(ValidationError, match="string_type"):
        Metrics.model_validate({"listen": value})
    with pytest.raises(ValidationError, match="string_type"):
        Alerts.model_validate({"state_dir": "state", "publish": value})


@pytest.mark.parametrize(
    "keys",
    [
        {"listen": "0.0.0.0:8080"},
        {"tls_cert": "van.crt"},
        {"tls_key": "van.key"},
        {"listen": "0.0.0.0:8080", "tls_key": "van.key"},
    ],
)
def test_a_console_beyond_this_machine_needs_certificate_and_key(keys: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="tls"):
        Console.model_validate(keys)
    Console.model_validate({"listen": "0.0.0.0:8443", "tls_cert": "van.crt", "tls_key": "van.key"})
