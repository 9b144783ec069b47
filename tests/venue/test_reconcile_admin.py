"""Staff has the account looked at from the admin: told before, done by who holds the keys, shown, nothing moved."""

from typing import Any

import pytest
from django.test import Client

from agents.core.roster import house
from competition import tasks
from competition.core.states import ErrandState
from competition.errands import Errand
from competition.services.seasons import draft_season, open_season
from portfolio.exchange_models import OrderAttempt, Reconciliation
from portfolio.models import Posting
from tests.live.stage import SYMBOLS, weekly_rules
from tests.test_admin import operator  # noqa: F401 - a fixture
from tests.venue import faults
from tests.venue.exchange import SECRET
from tests.venue.test_reconcile import Desk, account, desk  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

ASK = "/admin/competition/errand/ask/reconcile/"


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def confirmed(operator: Client) -> Errand:
    """What staff asked for by the button, after the worker took it up."""
    answer = operator.post(ASK)
    errand = Errand.objects.order_by("id").last()
    assert errand is not None
    assert answer.headers["Location"] == f"/admin/competition/errand/{errand.pk}/change/"
    tasks.errand(errand.pk)
    errand.refresh_from_db()
    return errand


def page_of(operator: Client, errand: Errand) -> str:
    return text_of(operator.get(f"/admin/competition/errand/{errand.pk}/change/"))


def written(desk: Desk) -> tuple[Any, ...]:
    """All that a trade would change: what the exchange was told to do, and what we have on record."""
    asked = {line: times for line, times in desk.venue.told()["asked"].items() if not line.startswith("GET ")}
    return asked, OrderAttempt.objects.count(), list(Posting.objects.order_by("id").values_list("amount", "asset"))


def test_a_look_at_the_account_says_what_was_compared_and_moves_nothing(operator: Client, account: Desk) -> None:
    rules = weekly_rules(execution="testnet", capital="5000")
    open_season(draft_season("there", "There", rules, house(3, SYMBOLS)[:2]).id, rules.starts_at)
    account.trade(1)
    before = written(account)
    told = text_of(operator.get(ASK))
    assert "compared with the ledgers of every entry of There" in told
    assert not Errand.objects.exists(), "nothing happens before the yes"
    assert "because nobody had looked at them before" in page_of(operator, confirmed(operator))
    errand = confirmed(operator)
    assert errand.state == ErrandState.DONE
    shown = page_of(operator, errand)
    assert "it agrees with the record, with 1 order compared in epoch 1. Nothing was ordered" in shown
    assert '<th scope="row">BTC</th> <td>0</td> <td>1.4995</td> <td>0.4995</td> <td>0</td>' in shown
    assert '<th scope="row">USDT</th> <td>10000</td>' in shown, "the books of the season's two entries"
    assert "ETH" not in shown, "what the exchange gave the account at the start"
    assert '"calm"' in shown
    assert written(account) == before


def test_what_differs_at_the_exchange_is_shown_and_stays_as_it_is(operator: Client, account: Desk) -> None:
    confirmed(operator)
    account.venue.set(balances={"USDT": "99999", "BTC": "1", "ETH": "7"})
    before = written(account)
    errand = confirmed(operator)
    shown = page_of(operator, errand)
    assert errand.outcome.startswith("The account at the exchange: one difference, with 0 orders compared in epoch 1.")
    assert "unexplained USDT: the account moved by -1 USDT beyond our trades" in shown
    assert "<td>99999</td> <td>0</td> <td>-1</td>" in shown
    assert '"alarm"' in shown
    assert written(account) == before


@pytest.mark.parametrize(
    ("line", "fault", "happened", "todo"),
    [
        ("GET /api/v3/time", faults.reset(), "no connection, or a broken one", "Ask again in a few minutes."),
        ("GET /api/v3/account", faults.gateway(502), "HTTP 502", "Ask again in a few minutes."),
        ("GET /api/v3/account", faults.limited("7"), "too many requests", "Ask again in 7 s."),
        ("GET /api/v3/account", faults.says(-2015, "Invalid API-key.", 401), "Invalid API-key", "BINANCE_API_KEY and"),
    ],
    ids=["nobody there", "a gateway's page", "too fast", "a refused key"],
)
def test_a_look_that_failed_says_what_happened_and_what_to_do(
    operator: Client,
    account: Desk,
    line: str,
    fault: faults.Fault,
    happened: str,
    todo: str,
) -> None:
    account.venue.script(line, fault)
    errand = confirmed(operator)
    shown = page_of(operator, errand)
    assert errand.state == ErrandState.FAILED
    assert happened in errand.outcome
    assert todo in errand.outcome
    assert "Nothing was ordered and no ledger changed." in errand.outcome
    assert '"alarm"' in shown
    assert "What was compared" not in shown
    assert SECRET not in shown
    assert confirmed(operator).state == ErrandState.DONE, "it may be asked for again"


def test_an_exchange_that_is_none_of_ours_is_not_asked_and_that_is_said(
    operator: Client,
    account: Desk,
    settings: Any,
) -> None:
    settings.EXCHANGE_DOUBLE = "http://10.0.0.1:80"
    errand = confirmed(operator)
    assert errand.state == ErrandState.FAILED
    assert "it can only be an exchange double on this machine" in page_of(operator, errand)
    assert not Reconciliation.objects.exists()
