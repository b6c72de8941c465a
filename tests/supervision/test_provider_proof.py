"""A provider that was asked for by name is tried in a process of its own; the others need no proof."""

import pytest

from appliance.config.live import Models
from appliance.core.errors import ProviderError
from appliance.supervision import provider_proof as module
from appliance.supervision.provider_proof import prove_provider


class End:
    """One end of a pipe that says what it was given; None: its process was lost."""

    def __init__(self, said: str | None) -> None:
        self.said, self.closed = said, False

    def recv(self) -> str:
        if self.said is None:
            raise EOFError
        return self.said

    def close(self) -> None:
        self.closed = True


class Spawn:
    """Makes pipes and processes that do nothing."""

    def __init__(self, said: str | None) -> None:
        self.end, self.started, self.killed = End(said), False, False

    def Pipe(self, duplex: bool) -> tuple[End, End]:  # noqa: N802 - as multiprocessing calls it
        assert not duplex
        return self.end, End("")

    def Process(self, **_: object) -> "Spawn":  # noqa: N802
        return self

    def start(self) -> None:
        self.started = True

    def kill(self) -> None:
        self.killed = True

    def join(self) -> None:
        pass


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Spawn:
    made = Spawn(getattr(request, "param", ""))
    monkeypatch.setattr(module, "_spawn", made)
    return made


@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_what_is_always_there_needs_no_proof(spawn: Spawn, provider: str) -> None:
    prove_provider(Models.model_validate({"provider": provider}))
    assert not spawn.started


def test_what_runs_is_silence_and_its_process_is_gone(spawn: Spawn) -> None:
    prove_provider(Models(provider="cuda"))
    assert (spawn.started, spawn.killed, spawn.end.closed) == (True, True, True)


@pytest.mark.parametrize(
    ("spawn", "why"),
    [("CUDA does not load.", "CUDA does not load"), (None, "could not be tried on cuda: the process that tried")],
    indirect=["spawn"],
)
def test_what_does_not_run_is_said_and_its_process_is_gone(spawn: Spawn, why: str) -> None:
    with pytest.raises(ProviderError, match=why):
        prove_provider(Models(provider="cuda"))
    assert spawn.killed
