"""The runner as its own process, asked over real HTTP: what it answers, what it refuses, and whom it lets go."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.contract import REQUEST_BYTES_MAX, AgentPart, PreflightRequest
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.calls import ErrorClass
from agents.core.pricing import Worst
from agents.runner_client import preflight, runners_at
from competition.core.engine import judge
from config.processes import site
from portfolio.core.decisions import Bounds, VerdictKind, Violation
from portfolio.core.decisions import Limits as RuleLimits
from tests.agents.provider import VALID_TEXT, Provider
from tests.live.runners import PLANTED_KEY, PLENTY, ROOT, Runner, all_asked, asked, hanging, priced, question
from tests.live.stage import Stage, weekly_rules
from tests.support_engines import until

FIRM = {"analyst_model": "offline/analyst"}


def through(provider: Provider, model: str, seconds: float = 20, **parameters: Any) -> Question:
    """A question to a model of that provider, which misbehaves as the model is called."""
    return priced(
        f"openai/{model}", seconds=seconds, parameters={"api_base": provider.api_base, "tries_max": 1, **parameters}
    )


def post(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}/v1/decide", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


# -- What it answers ------------------------------------------------------------------------------


def test_a_brief_is_answered_with_a_reply_and_the_call_it_took(runner: Runner) -> None:
    answer = asked(runner.url, question())
    assert isinstance(answer, Answer)
    assert json.loads(answer.text)["action"] == "rebalance"
    (call,) = answer.calls
    assert (call.role, call.requested_model, call.error_class) == ("single", "offline/steady", None)
    assert call.reply == answer.text
    assert "BTCUSDT" in call.messages[-1].content


def test_after_objections_the_model_is_told_what_was_wrong(runner: Runner) -> None:
    wrong = (Violation("reply_is_readable", "not JSON at all"),)
    again = replace(question("offline/garbled", last_reply="What I said"), objections=wrong)
    answer = asked(runner.url, again)
    assert isinstance(answer, Answer)
    assert "not JSON at all" in answer.calls[0].messages[-1].content
    assert answer.calls[0].messages[-2].content == "What I said"


def test_a_provider_is_asked_over_real_http_with_the_runners_own_key(runner: Runner, provider: Provider) -> None:
    answer = asked(runner.url, through(provider, "valid"))
    assert isinstance(answer, Answer)
    assert answer.text == VALID_TEXT
    assert provider.requests[-1].key == PLANTED_KEY
    (call,) = answer.calls
    assert call.usage is not None
    assert call.usage.prompt == 10
    assert PLANTED_KEY not in call.model_dump_json()


def test_a_key_that_a_provider_echoes_is_in_nothing_that_comes_back(runner: Runner, provider: Provider) -> None:
    for behaviour in ("echo", "key_refused", "bad_request", "error_under_200"):
        assert PLANTED_KEY not in repr(asked(runner.url, through(provider, behaviour)))


def test_a_model_that_was_cut_off_is_said_to_have_been(runner: Runner, provider: Provider) -> None:
    answer = asked(runner.url, through(provider, "truncated"))
    assert isinstance(answer, Answer)
    assert answer.truncated


@pytest.mark.parametrize("behaviour", ["ends_error", "ends_model_length", "ends_content_filter", "ends_not"])
def test_a_valid_reply_whose_ending_is_not_known_to_be_good_never_counts(
    runner: Runner, provider: Provider, behaviour: str
) -> None:
    answer = asked(runner.url, through(provider, behaviour))
    assert isinstance(answer, Answer)
    assert (answer.text, answer.truncated) == (VALID_TEXT, True)
    assert judge(answer, Bounds(RuleLimits(), frozenset({"BTCUSDT"}), "USDT", {})).kind == VerdictKind.REJECTED
    assert answer.calls[0].status == 200


def test_a_valid_reply_with_an_error_beside_it_is_no_answer(runner: Runner, provider: Provider) -> None:
    silent = asked(runner.url, through(provider, "broken_off"))
    assert isinstance(silent, NoAnswer)
    assert [call.error_class for call in silent.calls] == [ErrorClass.SERVER_ERROR]


@pytest.mark.parametrize(
    ("model", "error_class"), [("anthropic/x", ErrorClass.KEY_REFUSED), ("opnai/x", ErrorClass.MODEL_UNKNOWN)]
)
def test_a_call_without_a_key_or_a_provider_is_told_not_to_have_been_sent(
    runner: Runner, model: str, error_class: ErrorClass
) -> None:
    silent = asked(runner.url, priced(model, parameters={"tries_max": 1}))
    assert isinstance(silent, NoAnswer)
    assert [(call.error_class, call.was_sent) for call in silent.calls] == [(error_class, False)]


def test_every_try_of_a_call_is_on_record(runner: Runner, provider: Provider) -> None:
    provider.acts("moody", "server_error", "valid")
    answer = asked(runner.url, through(provider, "moody", tries_max=2))
    assert isinstance(answer, Answer)
    assert [(call.number, call.error_class) for call in answer.calls] == [(1, ErrorClass.SERVER_ERROR), (2, None)]


def test_a_firm_answers_with_six_roles_on_record(runner: Runner) -> None:
    answer = asked(runner.url, question("offline/desk", kind="firm", parameters=FIRM))
    assert isinstance(answer, Answer), answer
    roles = [call.role for call in answer.calls]
    assert sorted(roles[:3]) == ["sentiment", "technical", "tokenomics"]
    assert roles[3:] == ["researcher", "trader", "risk"]
    assert answer.deliberation is not None
    assert set(answer.deliberation["roles"]) == set(roles)


def test_many_questions_at_once_wait_for_a_free_process_and_are_all_answered(runner: Runner) -> None:
    answers = all_asked(runner.url, [question(seconds=60) for _ in range(20)])
    assert [type(answer) for answer in answers] == [Answer] * 20
    until(lambda: not runner.children, "everyone to be reaped")


# -- What it does not do --------------------------------------------------------------------------


def test_a_model_that_never_answers_is_ended_with_its_call_on_record(runner: Runner) -> None:
    silent = asked(runner.url, hanging(seconds=2))
    assert isinstance(silent, NoAnswer)
    assert silent.reason == "offline/latecomer: timeout; no time was left for a try"
    assert [call.error_class for call in silent.calls] == [ErrorClass.TIMEOUT]
    assert silent.calls_known


def test_a_provider_that_drips_is_ended_in_time_with_its_call_on_record(runner: Runner, provider: Provider) -> None:
    silent = asked(runner.url, through(provider, "drip", seconds=2))
    assert isinstance(silent, NoAnswer)
    assert [call.error_class for call in silent.calls] == [ErrorClass.TIMEOUT]


@pytest.mark.parametrize(
    ("behaviour", "error_class"),
    [
        ("ten_mb", ErrorClass.TOO_LARGE),
        ("binary", ErrorClass.MALFORMED),
        ("reset", ErrorClass.CONNECTION),
        ("rate_limited", ErrorClass.RATE_LIMITED),
        ("redirect", ErrorClass.BAD_REQUEST),
    ],
)
def test_what_a_provider_does_wrongly_is_no_answer_with_its_class(
    runner: Runner, provider: Provider, behaviour: str, error_class: ErrorClass
) -> None:
    silent = asked(runner.url, through(provider, behaviour))
    assert isinstance(silent, NoAnswer)
    assert [call.error_class for call in silent.calls] == [error_class]


def test_an_address_nobody_allowed_is_not_called(runner: Runner) -> None:
    elsewhere = priced("openai/x", parameters={"api_base": "http://169.254.169.254/v1", "tries_max": 1})
    silent = asked(runner.url, elsewhere)
    assert isinstance(silent, NoAnswer)
    assert [call.error_class for call in silent.calls] == [ErrorClass.ADDRESS_REFUSED]


def test_without_a_price_or_an_allowance_nothing_is_called(runner: Runner, provider: Provider) -> None:
    asked_before = len(provider.requests)
    parameters = {"api_base": provider.api_base}
    priceless = asked(runner.url, question("openai/valid", parameters=parameters, allowance=PLENTY))
    penniless = asked(
        runner.url, question("openai/valid", parameters=parameters, cards=through(provider, "valid").cards)
    )
    for silent in (priceless, penniless):
        assert isinstance(silent, NoAnswer)
        assert [call.error_class for call in silent.calls] == [ErrorClass.OVER_ALLOWANCE]
    assert len(provider.requests) == asked_before


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"not json", "Invalid JSON"),
        (b"{}", "run_token: Field required"),
        (b'{"run_token": "t", "seconds": -1, "agent": {"model": "offline/steady"}, "brief": {}}', "seconds"),
        (
            b'{"run_token": "t", "seconds": 1, "agent": {"model": "a/b", "parameters": {"mood": 1}}, "brief": {}}',
            "agent.parameters.mood: Extra inputs are not permitted",
        ),
    ],
)
def test_a_request_the_runner_cannot_use_is_refused_with_the_reason(runner: Runner, body: bytes, says: str) -> None:
    status, answer = post(runner.url, body)
    assert status == 422
    assert says in answer["error"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end(runner: Runner) -> None:
    status, answer = post(runner.url, b" " * (REQUEST_BYTES_MAX + 1))
    assert (status, answer) == (413, {"error": f"The body may have {REQUEST_BYTES_MAX} bytes."})


def test_a_model_nobody_knows_is_no_answer_and_nobodys_trade(runner: Runner) -> None:
    silent = asked(runner.url, priced("nobody/knows", seconds=10))
    assert isinstance(silent, NoAnswer)
    assert [call.error_class for call in silent.calls] == [ErrorClass.MODEL_UNKNOWN]


def test_a_brief_too_small_to_decide_on_is_no_answer(runner: Runner) -> None:
    assert isinstance(asked(runner.url, question(brief=Brief({"cycle": 1}, "0" * 64))), NoAnswer)


def test_there_is_nothing_but_two_doors_and_two_bells(runner: Runner) -> None:
    assert [status_of(f"{runner.url}/{path}") for path in ("livez", "readyz")] == [200, 200]
    assert [status_of(f"{runner.url}/v1/{path}") for path in ("decide", "preflight")] == [405, 405]
    assert [status_of(f"{runner.url}/{path}") for path in ("", "v1/", "admin/")] == [404, 404, 404]


def test_a_preflight_says_what_is_missing_and_never_shows_a_key(runner: Runner, provider: Provider) -> None:
    def findings(model: str, **more: Any) -> dict[str, bool]:
        agent = AgentPart(model=model, parameters={"api_base": provider.api_base})
        request = PreflightRequest(agent=agent, allowance=Worst(tokens=10_000, usd=1), **more)
        answer = asyncio.run(preflight(runner.url, request))
        assert PLANTED_KEY not in answer.model_dump_json()
        return {finding.check: finding.ok for finding in answer.findings}

    cards = through(provider, "gpt-4o-mini").cards
    good = findings("openai/gpt-4o-mini", cards=cards, call=True)
    assert all(good.values())
    assert set(good) == {
        *("address allowed", "model known", "key present", "price known", "structured output", "test call")
    }
    poor = findings("anthropic/claude-nobody")
    assert not poor["key present"]
    assert not poor["price known"]


def test_a_cycle_with_a_real_runner_ends_with_everyones_verdict(runner: Runner, own_database: str) -> None:
    quick = {"ask_s": 8, "attempt_s": 6, "on_time_s": 1, "late_s": 10, "trade_window_s": 10, "turn_lease_s": 1}
    stage = Stage.set(weekly_rules(cycle_s=60, **quick))  # a reply may take six real seconds
    stage.runner = partial(runners_at, lambda _: runner.url)  # type: ignore[method-assign,assignment]
    stage.play_cycle(1)
    verdicts = dict(stage.cycle(1).turns.values_list("entry__slug", "verdict"))
    assert verdicts["steady"] == "rebalance"
    assert verdicts["refuser"] == "rejected"
    assert len(verdicts) == 13


# -- What it must not have ------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL", "BINANCE_API_KEY"])
def test_a_runner_with_more_than_it_needs_does_not_start_and_says_why(variable: str) -> None:
    environ = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings_runner", variable: "x"}
    started = subprocess.run(
        [sys.executable, "-c", "import agents.runner"], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert started.returncode != 0
    assert f"A runner must not have {variable} in its environment; start it without." in started.stderr


def test_the_site_starts_its_runner_without_keys_of_the_exchange(tmp_path: Path) -> None:
    secrets = {"DATABASE_URL": "d", "BINANCE_API_KEY": "k", "BINANCE_API_SECRET": "s"}
    environ = {"PATH": "/bin", "OPENAI_API_KEY": "o", **secrets}
    (runner,) = (command for command in site(environ, port=8000, data=tmp_path) if command.name == "runner")
    needed = {"PATH": "/bin", "OPENAI_API_KEY": "o", "DJANGO_SETTINGS_MODULE": "config.settings_runner"}
    assert runner.environ == needed


def test_the_service_itself_never_imports_litellm() -> None:
    code = "import sys, agents.runner; print('litellm' in sys.modules)"
    environ = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings_runner"}
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environ) == b"False\n"
