"""A provider that is named is tried before anything starts; `auto` and `cpu` need no trial."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.config.sections import Models
from appliance.core.errors import ProviderError
from appliance.supervision import provider_proof
from appliance.supervision.own_process import ProcessLost


@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_nothing_is_started_for_what_always_runs(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_proof, "call_in_own_process", lambda *_: pytest.fail("a process was started"))
    provider_proof.prove_provider(Models(provider=provider))


def test_a_trial_that_kills_its_process_is_a_provider_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any) -> None:
        raise ProcessLost("gone")

    monkeypatch.setattr(provider_proof, "call_in_own_process", lost)
    with pytest.raises(ProviderError, match="could not be tried on cuda"):
        provider_proof.prove_provider(Models(provider="cuda"))


def test_a_trial_that_succeeds_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(provider_proof, "call_in_own_process", lambda name, function, models: tried.append(models))
    provider_proof.prove_provider(Models(provider="tensorrt"))
    assert [models.provider for models in tried] == ["tensorrt"]
