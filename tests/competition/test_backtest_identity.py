"""What makes a backtest the same as one that is stored already."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from agents.prices import Quote, add_price
from competition.models import Backtest
from competition.services.backtest_requests import BacktestRefused, BacktestWish, ask_for
from competition.services.backtests import Asker
from tests.competition.test_backtest_models import MODEL, WISH, gpt  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
FREE = {**WISH, "agents": ("equal-weight", "ema-cross", "steady"), "max_usd": None}


def asked(**changes: Any) -> Backtest:
    return ask_for(BacktestWish(**{**FREE, **changes}), Asker("command"), timezone.now())[0]


def test_what_models_may_cost_is_no_part_of_it_where_no_model_is_paid() -> None:
    stored = asked()
    assert asked(max_usd="5").key == stored.key == asked(max_usd="0.01").key
    assert Backtest.objects.get().parameters["max_usd"] is None


def test_where_one_is_paid_it_is_part_of_it() -> None:
    agents = (*FREE["agents"], "gpt")
    assert asked(agents=agents, max_usd="5").key != asked(agents=agents, max_usd="6").key
    with pytest.raises(BacktestRefused, match="Say what it may cost at most"):
        asked(agents=agents)


def test_a_model_that_is_free_today_may_cost_tomorrow_so_its_limit_stays_part_of_it() -> None:
    before = asked(agents=("gpt",), max_usd="5")
    add_price(MODEL, Quote(Decimal(0), Decimal(0)), timezone.now(), "test")
    assert asked(agents=("gpt",), max_usd="5").key == before.key
    assert asked(agents=("gpt",), max_usd="6").key != before.key


def test_a_limit_that_cannot_be_read_is_complained_of_even_where_it_bounds_nothing() -> None:
    for wrong in ("-1", "NaN", "much"):
        with pytest.raises(BacktestRefused):
            asked(max_usd=wrong)
    assert not Backtest.objects.exists()
