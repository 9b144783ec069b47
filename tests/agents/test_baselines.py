"""The yardsticks: what each does, and that whatever they say can be read and breaks no rule of a plain season."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.baselines import BASELINES, baseline_reply, rebalance_text
from agents.core.reply import parse_reply
from portfolio.core.decisions import Action, Bounds, Decision, Limits, violations_of
from tests.notation import D, W, content, some


def decided(model: str, brief: dict[str, Any], **parameters: Any) -> Decision:
    decision = parse_reply(baseline_reply(f"baseline/{model}", parameters, brief)).decision
    assert decision is not None
    return decision


def weights(model: str, brief: dict[str, Any], **parameters: Any) -> dict[str, Decimal] | None:
    decision = decided(model, brief, **parameters)
    return None if decision.action is Action.HOLD else dict(decision.weights)


FLAT = content("BTC change_28d 0, ETH change_28d 0, SOL change_28d 0")


def test_all_cash_never_buys() -> None:
    assert weights("all-cash", FLAT) is None


def test_what_is_bought_once_is_held_for_good() -> None:
    once = {"weights": {"BTCUSDT": "1"}}
    assert weights("fixed-once", FLAT, **once) == W("BTC 100%")
    assert weights("fixed-once", content("BTC change_28d 0", holdings="BTC"), **once) is None


def test_fixed_weights_come_back_every_week_whatever_is_held() -> None:
    sixty_forty = {"weights": {"BTCUSDT": "0.6", "ETHUSDT": "0.4"}}
    assert weights("fixed-rebalanced", FLAT, **sixty_forty) == W("BTC 60%, ETH 40%")
    holding = content("BTC change_28d 0, ETH change_28d 0", holdings="BTC")
    assert weights("fixed-rebalanced", holding, **sixty_forty) == W("BTC 60%, ETH 40%")


def test_of_fixed_weights_only_what_can_be_traded_is_asked_for() -> None:
    sixty_forty = {"weights": {"BTCUSDT": "0.6", "ETHUSDT": "0.4"}}
    assert weights("fixed-rebalanced", content("BTC change_28d 0"), **sixty_forty) == W("BTC 60%")
    assert weights("fixed-rebalanced", content("ADA change_28d 0"), **sixty_forty) is None
    assert weights("fixed-once", content("ADA change_28d 0"), **sixty_forty) is None


def test_equal_weight_is_rounded_down_so_that_the_total_stays_below_one() -> None:
    assert weights("equal-weight", FLAT) == W("BTC 33.33%, ETH 33.33%, SOL 33.33%")
    assert weights("equal-weight", content("BTC change_28d 0")) == W("BTC 100%")


@pytest.mark.parametrize(
    ("market", "top", "expected"),
    [
        ("BTC change_28d 0.1, ETH change_28d 0.3, SOL change_28d 0.2", 2, "ETH 50%, SOL 50%"),
        ("BTC change_28d 0.1, ETH change_28d 0.3, SOL change_28d 0.2", 1, "ETH 100%"),
        ("BTC change_28d 0.1, ETH change_28d -0.3, SOL change_28d 0", 2, "BTC 100%"),
        ("BTC change_28d 0.1, ETH change_28d 0.1, SOL change_28d 0.1", 2, "BTC 50%, ETH 50%"),  # a tie, by name
        ("BTC change_28d -0.1, ETH change_28d -0.3", 2, "USDT 100%"),
        ("BTC change_28d none, ETH change_28d 0.2", 2, "ETH 100%"),
        ("BTC change_28d none", 2, "USDT 100%"),
    ],
)
def test_momentum_buys_the_best_of_those_that_rose_and_else_goes_to_cash(market: str, top: int, expected: str) -> None:
    assert weights("momentum", content(market), top=top) == W(expected)


def test_risk_parity_weighs_by_the_inverse_of_volatility() -> None:
    # 1/0.4 : 1/0.8 = 2 : 1
    assert weights("risk-parity", content("BTC volatility_28d 0.4, ETH volatility_28d 0.8")) == {
        "BTCUSDT": D("0.6666"),
        "ETHUSDT": D("0.3333"),
    }


@pytest.mark.parametrize("market", ["BTC volatility_28d none", "BTC volatility_28d 0"])
def test_risk_parity_without_a_volatility_holds(market: str) -> None:
    assert weights("risk-parity", content(market)) is None


def test_the_random_one_draws_afresh_every_week_and_by_its_seed() -> None:
    drawn = [weights("random", content("BTC change_28d 0, ETH change_28d 0", cycle=n), seed=1) for n in (1, 2, 3)]
    assert len({json.dumps(draw, default=str) for draw in drawn}) == 3
    assert weights("random", FLAT, seed=1) == weights("random", FLAT, seed=1) != weights("random", FLAT, seed=2)


markets = st.dictionaries(
    st.sampled_from(["BTC", "ETH", "SOL", "BNB", "ADA"]),
    st.tuples(*[st.none() | st.decimals(-1, 9, places=6)] * 2, st.none() | st.decimals(0, 9, places=6)),
    min_size=1,
)
parameters = st.fixed_dictionaries(
    {"weights": st.just({"BTCUSDT": "0.6", "ETHUSDT": "0.4"}), "top": st.integers(1, 5), "seed": st.integers(0, 99)}
)


@some
@given(
    st.sampled_from(sorted(BASELINES)), markets, parameters, st.integers(1, 500), st.sampled_from(["", "BTC", "ETH"])
)
def test_whatever_the_market_a_baseline_breaks_no_rule(
    model: str, market: dict[str, tuple], parameters: dict[str, Any], cycle: int, holding: str
) -> None:
    figures = ("change_7d", "change_28d", "volatility_28d")
    rows = ", ".join(
        f"{base} {name} {'none' if figure is None else figure}"
        for base, row in market.items()
        for name, figure in zip(figures, row, strict=True)
    )
    brief = content(rows, holdings=holding, cycle=cycle)
    parsed = parse_reply(baseline_reply(model, parameters, brief))
    assert parsed.decision is not None, parsed.violations
    assert parsed.unwrapped == ()
    bounds = Bounds(Limits(total_tolerance=D(0)), frozenset(brief["market"]["symbols"]), "USDT", {})
    assert violations_of(parsed.decision, bounds) == ()


@some
@given(
    st.dictionaries(st.text(max_size=8), st.decimals(0, 1, places=30), min_size=1, max_size=5),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=80),
)
def test_a_written_reply_reads_back_with_every_digit(weights: dict[str, Decimal], why: str) -> None:
    parsed = parse_reply(rebalance_text(weights, why))
    assert parsed.decision == Decision(Action.REBALANCE, weights, None, why)
    assert parsed.unwrapped == ()
