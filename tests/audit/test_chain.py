"""The form of the record: one way to write a line, and what is no line is never taken for one."""

import json
from pathlib import Path
from typing import Any

import pytest
from audit_lines import write_lines

from appliance.audit.chain import GENESIS, canonical, check, digest_of, parse, split_lines

ACT = ("view.alert", {"alert": "a-1"})


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    write_lines(tmp_path, ACT, ACT, ACT)
    return split_lines((tmp_path / "audit.jsonl").read_bytes())


def head_of(line: bytes) -> tuple[int, str]:
    record = parse(line)
    assert record is not None
    return record.n, record.hash


def test_a_line_is_written_in_one_way_only() -> None:
    assert canonical({"b": 1, "a": "ß"}) == '{"a":"ß","b":1}'.encode()
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1, "hash": "x"})
    with pytest.raises(ValueError, match="JSON"):
        canonical({"rate": float("nan")})


@pytest.mark.parametrize(
    "change",
    [
        {"n": "1"},
        {"details": []},
        {"by": None},
        {"extra": 1},
    ],
)
def test_what_has_another_form_is_no_line(lines: list[bytes], change: dict[str, Any]) -> None:
    body = json.loads(lines[0])
    assert parse(canonical(body)) is not None
    assert parse(canonical({**body, **change})) is None


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_noise_is_no_line(line: bytes) -> None:
    assert parse(line) is None


def test_only_a_line_feed_ends_a_line() -> None:
    assert split_lines(b"") == []
    assert split_lines(b"a\rb\x85c\n") == [b"a\rb\x85c\n"]
    assert split_lines(b"a\nb") == [b"a\n", b"b"]


def test_an_empty_record_is_whole_and_a_whole_one_too(lines: list[bytes]) -> None:
    empty = check(b"", (0, GENESIS), True, None)
    assert (empty.ok, empty.count, empty.head) == (True, 0, GENESIS)
    whole = check(b"".join(lines), head_of(lines[-1]), True, None)
    assert (whole.ok, whole.count, whole.head) == (True, 3, head_of(lines[-1])[1])


def test_a_head_that_is_missing_damaged_or_ahead_is_told_apart(lines: list[bytes]) -> None:
    content = b"".join(lines)
    assert check(content, None, False, None).problems == ("audit.head is missing.",)
    assert check(content, None, True, None).problems == ("audit.head is damaged.",)
    assert "ends at act 3, but audit.head knows act 4" in check(content, (4, "a" * 64), True, None).problems[0]
    assert check(content, head_of(lines[1]), True, None).ok, "after a power cut the head may lag"
    assert not check(content, (2, "a" * 64), True, None).ok


def test_an_anchor_must_be_in_the_chain(lines: list[bytes]) -> None:
    content, head = b"".join(lines), head_of(lines[-1])
    assert check(content, head, True, head_of(lines[0])[1].upper()).ok
    assert "not the record that it was taken from" in check(content, head, True, "a" * 64).problems[0]
    assert not check(content, head, True, GENESIS).ok


def test_a_clock_that_was_set_back_is_noticed_and_no_problem(tmp_path: Path, lines: list[bytes]) -> None:
    first, second = (json.loads(line) for line in lines[:2])
    second["at"] = "2020-01-01T00:00:00.000Z"
    second["hash"] = digest_of(second)
    found = check(canonical(first) + b"\n" + canonical(second) + b"\n", (2, second["hash"]), True, None)
    assert found.ok
    assert "the clock was set back" in found.notices[0]
