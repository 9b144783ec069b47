"""Who decides without a runner: the house's own, and nobody else."""

import pytest

from agents.core.answers import Answer, NoAnswer
from agents.core.baselines import BASELINES, UnknownBaseline
from agents.core.brief import Brief
from agents.core.deciders import LATE, NotDecidedInProcess, decider
from agents.core.offline import OFFLINE_MODELS, UnknownOfflineModel, offline_reply
from portfolio.core.decisions import Violation
from tests.notation import content

BRIEF = Brief(content("BTC change_7d 0.1"), "0" * 64)


@pytest.mark.parametrize("model", ["openai/gpt-5", "offline", "baseline", "", "Baseline/all-cash", " offline/steady"])
def test_a_model_that_needs_a_runner_is_not_decided_here(model: str) -> None:
    with pytest.raises(NotDecidedInProcess, match="has to be asked through a runner"):
        decider(model, {})


@pytest.mark.parametrize(
    ("model", "error", "known"),
    [
        ("baseline/none", UnknownBaseline, BASELINES),
        ("offline/none", UnknownOfflineModel, OFFLINE_MODELS),
        ("offline/", UnknownOfflineModel, OFFLINE_MODELS),
    ],
)
def test_an_unknown_name_is_refused_at_once_with_those_there_are(model: str, error: type, known: dict) -> None:
    with pytest.raises(error) as refused:
        decider(model, {})
    assert all(name in str(refused.value) for name in known)


def test_the_offline_firm_decides_without_a_runner_and_keeps_its_record() -> None:
    decide = decider("offline/desk", {"seed": 1, "analyst_model": "offline/analyst"})
    answers = [decide(Brief(content("BTC change_7d 0.1", cycle=week), ""), ()) for week in range(1, 9)]
    assert any(isinstance(answer, Answer) for answer in answers)
    assert all(answer.deliberation and len(answer.deliberation["roles"]) == 6 for answer in answers)


def test_a_firm_whose_analysts_are_no_analysts_is_silent() -> None:
    answer = decider("offline/desk", {"seed": 1, "analyst_model": "offline/latecomer"})(BRIEF, ())
    assert isinstance(answer, NoAnswer)
    assert "0 of 3 analysts are usable" in answer.reason
    assert answer.deliberation
    assert answer.deliberation["missing"]["technical"] == "the reply holds no JSON object"


def test_a_baseline_answers_the_same_after_an_objection() -> None:
    decide = decider("baseline/equal-weight", {})
    objection = (Violation("total_is_one", "too much"),)
    assert decide(BRIEF, ()) == decide(BRIEF, objection)
    assert isinstance(decide(BRIEF, ()), Answer)


def test_a_late_reply_is_no_answer_and_never_its_text() -> None:
    late = [seed for seed in range(20) if offline_reply("offline/latecomer", {"seed": seed}, BRIEF.content, []).late]
    assert late
    for seed in range(20):
        answer = decider("offline/latecomer", {"seed": seed})(BRIEF, ())
        assert (answer == NoAnswer(LATE)) is (seed in late)


@pytest.mark.parametrize("model", [*BASELINES, *OFFLINE_MODELS])
def test_the_same_brief_has_the_same_answer(model: str) -> None:
    parameters = {"weights": {"BTCUSDT": "1"}, "seed": 3}
    assert decider(model, parameters)(BRIEF, ()) == decider(model, parameters)(BRIEF, ())
