"""What the supervisor is told of a deployment; the real one and the scripted one answer the same questions."""

import inspect
from datetime import UTC, datetime

import pytest
from fake_deployment import FakeDeployment

from appliance.deployment.authority import Window
from appliance.supervision.deployment_port import DeploymentPort, GuardFacts
from appliance.supervision.live_deployment import LiveDeployment

QUESTIONS = sorted(name for name in vars(DeploymentPort) if not name.startswith("_"))


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("deployment", [LiveDeployment, FakeDeployment])
def test_every_question_is_answered_with_the_parameters_that_are_asked(deployment: type, question: str) -> None:
    if isinstance(vars(DeploymentPort)[question], property):
        assert hasattr(deployment, question) or question in inspect.getsource(deployment)
        return
    asked = inspect.signature(getattr(DeploymentPort, question)).parameters
    assert list(inspect.signature(getattr(deployment, question)).parameters) == list(asked)


def test_nothing_known_of_the_guard_is_no_rate_and_no_breach() -> None:
    facts = GuardFacts()
    assert (facts.rate, facts.interval, facts.breach, facts.stop, facts.unknown) == (None, None, False, False, False)


def test_a_window_is_not_over_before_something_ended_it() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert not Window(noon, noon).over
