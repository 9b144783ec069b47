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
    assert weights("fixed-once", content("BTC change_28d 0", holdings="BTC 100%"), **once) is None


def test_fixed_weights_come_back_every_week_whatever_is_held() -> None:
    sixty_forty = {"weights": {"BTCUSDT": "0.6", "ETHUSDT": "0.4"}}
    assert weights("fixed-rebalanced", FLAT, **sixty_forty) == W("BTC 60%, ETH 40%")
    holding = content("BTC change_28d 0, ETH change_28d 0", holdings="BTC 100%")
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


def rows_of(market: dict[str, tuple]) -> str:
    return ", ".join(
        f"{base} {name} {'none' if figure is None else figure}"
        for base, row in market.items()
        for name, figure in zip(("change_7d", "change_28d", "volatility_28d"), row, strict=True)
    )


parameters = st.fixed_dictionaries(
    {"weights": st.just({"BTCUSDT": "0.6", "ETHUSDT": "0.4"}), "top": st.integers(1, 5), "seed": st.integers(0, 99)}
)


@some
@given(
    st.sampled_from(sorted(BASELINES)),
    markets,
    parameters,
    st.integers(1, 500),
    st.sampled_from(["", "BTC 100%", "BTC 40%, ETH 30%"]),
)
def test_whatever_the_market_a_baseline_breaks_no_rule(
    model: str, market: dict[str, tuple], parameters: dict[str, Any], cycle: int, holding: str
) -> None:
    brief = content(rows_of(market), holdings=holding, cycle=cycle)
    parsed = parse_reply(baseline_reply(model, parameters, brief))
    assert parsed.decision is not None, parsed.violations
    assert parsed.unwrapped == ()
    bounds = Bounds(Limits(total_tolerance=D(0)), frozenset(brief["market"]["symbols"]), "USDT", {})
    assert violations_of(parsed.decision, bounds) == ()


def complaints(brief: dict[str, Any], held: str, decision: Decision) -> list[str]:
    rules = brief["rules"]
    limits = Limits(D(rules["max_weight"]), D(rules["min_cash"]), D(rules["max_turnover"]))
    bounds = Bounds(limits, frozenset(brief["market"]["symbols"]), "USDT", W(held))
    return [violation.detail for violation in violations_of(decision, bounds)]


@pytest.mark.parametrize(
    ("limits", "held", "expected"),
    [
        ({"max_weight": "0.4"}, "", "BTC 40%, ETH 40%"),
        ({"min_cash": "0.1", "max_weight": "0.9"}, "", "BTC 54%, ETH 36%"),  # 0.6 and 0.4 of 0.9
        ({"max_turnover": "0.5"}, "", "BTC 30%, ETH 20%"),  # half of the way from cash
        ({"max_turnover": "0.5"}, "SOL 100%", "SOL 50%, BTC 30%, ETH 20%"),  # half of the way from there
        ({"max_turnover": "0.5"}, "BTC 40%, ETH 40%", "BTC 60%, ETH 40%"),  # 0.2 is allowed
    ],
)
def test_where_limits_bind_a_baseline_goes_as_far_as_it_may(limits: dict[str, str], held: str, expected: str) -> None:
    brief = content("BTC change_28d 0, ETH change_28d 0, SOL change_28d 0", holdings=held, **limits)
    decision = decided("fixed-rebalanced", brief, weights={"BTCUSDT": "0.6", "ETHUSDT": "0.4"})
    assert decision.weights == W(expected)
    assert complaints(brief, held, decision) == []


def test_a_baseline_that_flees_to_cash_flees_at_the_pace_it_is_allowed() -> None:
    falling = content("BTC change_28d -0.1", holdings="BTC 80%", max_turnover="0.2")
    assert weights("momentum", falling) == W("BTC 60%")


def test_where_prices_led_too_far_beyond_the_limits_a_baseline_holds() -> None:
    held = "BTC 85%"
    brief = content("BTC volatility_28d 0.5", holdings=held, max_weight="0.4", max_turnover="0.05")
    assert complaints(brief, held, decided("risk-parity", brief)) == []


@st.composite
def within_limits(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """Limits that do not contradict each other, and holdings that keep to them."""
    cap, floor = draw(st.sampled_from(["1 0", "0.5 0", "0.5 0.2", "0.25 0.1"]).map(str.split))
    turnover = draw(st.sampled_from(["1", "0.5", "0.2", "0.05"]))
    shares = draw(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any))
    parts = [min(D(share) / sum(shares) * (1 - D(floor)), D(cap)).quantize(D("0.0001")) for share in shares[:3]]
    held = ", ".join(f"{base} {part * 100}%" for base, part in zip(("BTC", "ETH", "SOL"), parts, strict=True) if part)
    return held, {"max_weight": cap, "min_cash": floor, "max_turnover": turnover}


@some
@given(st.sampled_from(sorted(BASELINES)), markets, parameters, within_limits())
def test_whatever_the_limits_a_baseline_that_kept_to_them_keeps_to_them(
    model: str, market: dict[str, tuple], parameters: dict[str, Any], limited: tuple[str, dict[str, str]]
) -> None:
    held, limits = limited
    whole = {base: market.get(base, (None, D("0.1"), D("0.5"))) for base in ("BTC", "ETH", "SOL", *market)}
    brief = content(rows_of(whole), holdings=held, **limits)
    assert complaints(brief, held, decided(model.removeprefix("baseline/"), brief, **parameters)) == []


@some
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8),
        st.decimals(0, 1, places=30),
        min_size=1,
        max_size=5,
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=80),
)
def test_a_written_reply_reads_back_with_every_digit(weights: dict[str, Decimal], why: str) -> None:
    parsed = parse_reply(rebalance_text(weights, why))
    assert parsed.decision == Decision(Action.REBALANCE, weights, None, why)
    assert parsed.unwrapped == ()
