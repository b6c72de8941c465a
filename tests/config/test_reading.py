"""Reading says in one line a problem what is wrong, with file, key, what was given and what is allowed."""

import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import AwareDatetime, Field

from appliance.config import reading
from appliance.config.sections import Root, Section
from appliance.core.errors import ConfigError


class Bicycle(Section):
    wheels: int = Field(2, ge=1, le=3, description="how many")
    bell: str = Field("", max_length=4, description="its sound")


class Shed(Root):
    """Another product's root: reading knows none."""

    EXAMPLE: ClassVar[str] = "config/shed.yaml"

    where: Path = Field(description="its folder")
    opened: AwareDatetime | None = Field(None, description="when")
    bicycles: tuple[Bicycle, ...] = Field((), description="what is in it")


def read(tmp_path: Path, text: str) -> Shed:
    path = tmp_path / "shed.yaml"
    path.write_text(text, encoding="utf-8")
    return reading.load(path, Shed)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    return str(error.value)


def test_any_root_is_read_and_its_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    shed = read(tmp_path, "where: yard\nbicycles: [{}, {wheels: 3}]\n")
    assert shed.where == tmp_path / "yard"
    assert [bicycle.wheels for bicycle in shed.bicycles] == [2, 3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("where: x\nwidth: 3", "width is not a key that exists here; look for a typing mistake"),
        ("{}", "where is missing and has no default"),
        ("where: x\nbicycles: [{wheels: 7}]", "bicycles.0.wheels input should be less than or equal to 3 (given: '7')"),
        ("where: x\nopened: 2026-11-31T10:00:00Z", "opened"),
        ("where: x\nopened: 2026-11-30T10:00:00", "opened"),
        ("where: [", "this is not YAML"),
        ("where: x\n  y: z", "line 2"),
        ("just words", "does not hold a configuration. Start from config/shed.yaml."),
        ("- a\n- list", "does not hold a configuration"),
        ("", "does not hold a configuration"),
        ("where: " + "[" * 5000, "holds a value that YAML cannot make. Start from config/shed.yaml."),
        ("where: !!int x", "holds a value that YAML cannot make"),
        ("where: !!python/object:os.system {}", "this is not YAML"),
        ("where: " + "x" * reading.MAX_CONFIG_BYTES, "is larger than 1000000 bytes"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    message = refusal(tmp_path, text)
    assert str(tmp_path / "shed.yaml") in message
    assert says in message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, "x: 1\nbicycles: [{wheels: 0}, {bell: ringring}]")
    assert len(message.splitlines()) == 4  # where is missing, too


def test_a_password_in_a_value_is_never_shown(tmp_path: Path) -> None:
    message = refusal(tmp_path, "where: x\nbicycles: [{bell: 'rtsp://user:hunter2@10.0.0.21/s'}]")
    assert "rtsp://***@10.0.0.21/s" in message
    assert "hunter2" not in message


def test_a_file_that_cannot_be_read_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist\. Name a configuration with -c; config/shed\.yaml is one"):
        reading.load(tmp_path / "nowhere.yaml", Shed)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x01" * 10)
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        reading.load(tmp_path / "b.yaml", Shed)
    with pytest.raises(ConfigError, match="is not a file"):
        reading.load(tmp_path, Shed)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a file"):
        reading.load(tmp_path / "pipe", Shed)


@pytest.mark.parametrize("document", [None, 3, "text", []])
def test_a_document_that_is_no_mapping_is_refused(document: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not hold a configuration"):
        reading.parse(document, tmp_path / "shed.yaml", Shed)
