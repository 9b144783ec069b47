"""`manage.py doctor`: one line per check, what to do where one fails, and exit status 1."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from agents import checkup
from agents.contract import AgentPart, Finding, PreflightRequest, PreflightResponse
from agents.core.roster import house
from agents.models import Agent
from agents.prices import Quote, add_price
from agents.runner_client import RESPONSE_BYTES_MAX
from competition.core.rules import Rules
from competition.services import checks
from competition.services.seasons import draft_season, open_season
from market.core.candles import Series
from market.services import store_candles
from tests.agents.money import MODEL, NOW
from tests.live.servers import free_port, one_answer_server

START = datetime(2024, 1, 1, tzinfo=UTC)
UNIVERSE = ("BTCUSDT", "ETHUSDT")
REQUEST = PreflightRequest(agent=AgentPart(model="openai/gpt-5"))


def doctor(*arguments: str) -> tuple[list[str], str]:
    """The lines it printed, and what it failed with."""
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


@pytest.fixture
def good_runner(monkeypatch: pytest.MonkeyPatch) -> list[PreflightRequest]:
    """A runner that finds everything in order; what it was asked."""
    asked: list[PreflightRequest] = []

    def ask(url: str, request: PreflightRequest) -> PreflightResponse:
        asked.append(request)
        return PreflightResponse(findings=(Finding(check="key", ok=True, detail="set"),))

    monkeypatch.setattr(checkup, "ask_runner", ask)
    return asked


@pytest.fixture
def priced_agent() -> Agent:
    add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test")
    return Agent.objects.create(slug="mine", name="Mine", kind="single", model=MODEL)


@pytest.mark.django_db
def test_when_all_is_in_order_every_line_says_ok(good_runner: list[PreflightRequest], priced_agent: Agent) -> None:
    lines, failure = doctor()
    assert failure == ""
    assert [line.split()[0] for line in lines] == ["ok"] * len(lines)
    assert [line[4:].split("  ")[0] for line in lines] == [
        *("database", "migrations", "clock", "redis", "broker"),
        *("mine v1: price", "mine v1: runner", "mine v1: key"),
    ]
    assert good_runner[0].call is False


@pytest.mark.django_db
def test_a_check_that_fails_says_what_to_do_and_fails_the_command(good_runner: list[PreflightRequest]) -> None:
    Agent.objects.create(slug="mine", name="Mine", kind="single", model=MODEL)
    lines, failure = doctor()
    assert failure == "1 of 8 checks failed."
    (bad,) = [line for line in lines if line.startswith("NO")]
    assert "manage.py set_price" in bad


@pytest.mark.django_db
def test_one_agent_can_be_looked_at_with_a_test_call(good_runner: list[PreflightRequest], priced_agent: Agent) -> None:
    Agent.objects.create(slug="other", name="Other", kind="single", model=MODEL)
    doctor("--agent", "mine", "--call")
    assert [request.call for request in good_runner] == [True]
    assert doctor("--agent", "nobody")[1] == "There is no agent 'nobody'."


@pytest.mark.django_db
def test_only_the_newest_version_of_an_agent_is_looked_at(
    good_runner: list[PreflightRequest], priced_agent: Agent
) -> None:
    Agent.objects.create(slug="mine", version=2, name="Mine", kind="firm", model=MODEL)
    doctor()
    assert [request.agent.kind for request in good_runner] == ["firm"]


def test_a_broker_that_is_away_is_told_without_its_password() -> None:
    check = checks.redis_check(f"redis://:secret-word@127.0.0.1:{free_port()}/0")
    assert (check.ok, "secret-word" in check.told) == (False, False)
    assert not checks.redis_check("").ok
    assert checks.redis_check(settings.REDIS_URL).ok


@pytest.mark.django_db
@pytest.mark.parametrize("apart_s", [-60, 60])
def test_a_clock_that_is_wrong_is_told(apart_s: int) -> None:
    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=apart_s)

    *_, check = checks.database_checks(clock)
    assert not check.ok
    assert "it is 60.0 s apart from the database's" in check.told or "59.9" in check.told


# The market of open seasons


def opened(source: str, slug: str) -> None:
    rules = Rules.model_validate(
        {
            "universe": UNIVERSE,
            "market_source": source,
            "market_starts_at": START,
            "starts_at": START,
            "cycles": 3,
        }
    )
    season = draft_season(slug, slug, rules, house(3, UNIVERSE)[:1])
    open_season(season.id, START)


def store_until(symbol: str, last_close: datetime) -> None:
    open_ms = int((last_close - timedelta(hours=1)).timestamp() * 1000)
    column = [Decimal(1)]
    store_candles([Series(symbol, "1h", [open_ms], column, column, column, column, column)])


@pytest.mark.django_db
def test_a_synthetic_market_needs_nothing() -> None:
    opened("synthetic", "spring")
    (check,) = checks.market_checks(START)
    assert check == checks.Check("spring: market", True, "synthetic, needs nothing")


@pytest.mark.django_db
def test_a_stored_market_needs_fresh_candles_of_every_symbol() -> None:
    opened("stored", "spring")
    now = START + timedelta(days=7)
    store_until("BTCUSDT", now)
    store_until("ETHUSDT", now - timedelta(days=1))
    (check,) = checks.market_checks(now)
    assert not check.ok
    assert check.told == (
        "no fresh candles at 2024-01-08 00:00 UTC of ETHUSDT (2024-01-06 23:00): run manage.py import_candles"
    )
    store_until("ETHUSDT", now)
    (check,) = checks.market_checks(now)
    assert check.ok


# The runner, over real sockets


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_runner_is_asked_over_http() -> None:
    answer = PreflightResponse(findings=(Finding(check="key", ok=True),))
    with one_answer_server(http(answer.model_dump_json().encode())) as url:
        assert checkup.ask_runner(url, REQUEST) == answer


def test_a_runner_without_a_preflight_still_runs() -> None:
    with one_answer_server(http(b"", "404 Not Found")) as url:
        (finding,) = checkup.ask_runner(url, REQUEST).findings
    assert finding.ok


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (http(b"oops", "500 Internal Server Error"), "status 500"),
        (http(b"", "302 Found"), "status 302"),
        (http(b"<html>"), "is not readable"),
        (http(b'{"findings": 3}'), "is not readable"),
        (http(b"x" * (RESPONSE_BYTES_MAX + 1)), f"more than {RESPONSE_BYTES_MAX} bytes"),
        (b"\xff\xfe garbage", "could not be asked"),
        (b"", "could not be asked"),
    ],
    ids=["500", "redirect", "html", "other JSON", "too large", "garbage", "nothing"],
)
def test_a_runner_that_does_not_answer_properly_is_away(answer: bytes, told: str) -> None:
    with one_answer_server(answer) as url, pytest.raises(checkup.RunnerAway, match=told):
        checkup.ask_runner(url, REQUEST)


def test_a_runner_that_is_not_there_is_away() -> None:
    with pytest.raises(checkup.RunnerAway, match="could not be asked"):
        checkup.ask_runner(f"http://127.0.0.1:{free_port()}", REQUEST)
