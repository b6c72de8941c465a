"""What is asked for goes before what the configuration says, and that before the defaults."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.config import live as configuration
from appliance.core.clock import utc_now
from appliance.core.errors import SecretError, WatchlistError
from appliance.enrolment.build_request import BuildRequest
from appliance.security import keys

ENDS = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Any:
    document = {
        "deployment": {"id": "croydon-1", "starts": "2026-11-21T10:00:00Z", "ends": ENDS.isoformat()},
        "watchlist": {"file": "list.lfrw", "key": "keys/seal.key", "max_entries": 500},
        "models": {"embedder": "sface", "dir": str(tmp_path)},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
    }
    return configuration.parse(document, tmp_path / "van.yaml")


@pytest.fixture
def request_(tmp_path: Path) -> BuildRequest:
    keys.new_appliance_keys(tmp_path / "keys", "B. Builder")
    return BuildRequest(source=tmp_path, output=tmp_path / "x.lfrw", to=tmp_path / "keys" / "seal.pub")


def test_without_a_configuration_it_is_a_list_for_a_trial_of_a_week(request_: BuildRequest) -> None:
    before = utc_now()
    job = request_.job()
    assert (job.deployment, job.max_entries, job.detector, job.embedder) == ("", 10_000, "centerface", "mobilefacenet")
    assert before <= job.expires - timedelta(days=7) <= utc_now()
    assert job.signer.name == "B. Builder"


def test_a_configuration_fills_in_what_nobody_asked_for(request_: BuildRequest, config: Any, tmp_path: Path) -> None:
    job = request_.job(config)
    assert (job.deployment, job.max_entries, job.embedder, job.models_dir) == ("croydon-1", 500, "sface", tmp_path)
    assert job.expires == ENDS + timedelta(hours=12)


def test_what_was_asked_for_goes_first_but_not_above_the_configurations_limit(
    request_: BuildRequest, config: Any
) -> None:
    asked = replace(request_, deployment="", expires=ENDS, embedder="mobilefacenet", max_entries=900)
    job = asked.job(config)
    assert (job.deployment, job.expires, job.embedder, job.max_entries) == ("", ENDS, "mobilefacenet", 500)
    assert replace(request_, max_entries=20).job(config).max_entries == 20


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"response": "purple"}, "--response 'purple' is unknown"),
        ({"output": "none/x.lfrw"}, "cannot be written"),
        ({"output": "keys"}, "cannot be written"),
        ({"output": "photo.jpg"}, "is something else than a watchlist"),
        ({"sign": "none.key"}, "does not exist"),
        ({"to": "keys/seal.key"}, "is not a public sealing key"),
    ],
)
def test_what_cannot_be_is_refused_before_a_photo_is_looked_at(
    request_: BuildRequest, tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff precious")
    given: Any = {name: tmp_path / text if name != "response" else text for name, text in change.items()}
    with pytest.raises((WatchlistError, SecretError), match=sentence):
        replace(request_, **given).job()
    assert (tmp_path / "photo.jpg").read_bytes() == b"\xff\xd8\xff precious"


def test_an_empty_file_or_a_list_may_be_written_over(request_: BuildRequest) -> None:
    for content in (b"", b"LFRWLIST and so on"):
        request_.output.write_bytes(content)
        assert request_.job().output == request_.output


def test_a_protected_builders_key_needs_its_passphrase(request_: BuildRequest, tmp_path: Path) -> None:
    secret, _ = keys.new_signer(tmp_path, "a", "A. Smith", passphrase="correct horse")
    words = tmp_path / "words"
    words.write_text("correct horse\n")
    words.chmod(0o600)
    with pytest.raises(SecretError, match="needs its passphrase"):
        replace(request_, sign=secret).job()
    assert replace(request_, sign=secret, passphrase_file=words).job().signer.name == "A. Smith"
