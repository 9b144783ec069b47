"""The rules a decision must pass: each alone, all together, and at their edges."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.core.decisions import (
    RULES,
    Action,
    Bounds,
    Decision,
    Limits,
    Rule,
    Verdict,
    VerdictKind,
    cash_above_floor,
    decision_content,
    decision_of,
    plainly_fair,
    symbols_are_listed,
    total_is_one,
    turnover_below_cap,
    violations_of,
    weight_below_cap,
    weights_are_fractions,
)
from tests.notation import D, W, some

NOT_NUMBERS = ["NaN", "sNaN", "Infinity", "-Infinity"]


def wanting(weights: str | Mapping[str, Decimal]) -> Decision:
    return Decision(Action.REBALANCE, W(weights) if isinstance(weights, str) else weights)


def bounds(held: str = "", tradable: str = "BTC, ETH, SOL", **limits: str) -> Bounds:
    names = frozenset(f"{base.strip()}USDT" for base in tradable.split(","))
    return Bounds(Limits(**{name: D(limit) for name, limit in limits.items()}), names, "USDT", W(held))


def broken(weights: str | Mapping[str, Decimal], within: Bounds | None = None) -> list[str]:
    """Names of the rules that these weights break."""
    return [violation.rule for violation in violations_of(wanting(weights), within or bounds())]


def details(rule: Rule, weights: str | Mapping[str, Decimal], within: Bounds | None = None) -> list[str]:
    return [violation.detail for violation in rule(wanting(weights), within or bounds())]


@pytest.mark.parametrize(
    "weights",
    ["BTC 40%, ETH 30%, USDT 30%", "BTC 40%", "USDT 100%", "BTC 100%", "BTC 0%, ETH 100%", "BTC 0%"],
)
def test_a_fair_decision_breaks_nothing(weights: str) -> None:
    assert broken(weights) == []


@pytest.mark.parametrize("weights", ["", "DOGE 300%", "BTC -100%, USDT 500%"])
def test_a_hold_breaks_nothing_whatever_it_carries(weights: str) -> None:
    strict = bounds(held="BTC 100%", max_weight="0.1", min_cash="0.9", max_turnover="0")
    assert violations_of(Decision(Action.HOLD, W(weights)), strict) == ()
    assert violations_of(Decision(Action.HOLD, {"BTCUSDT": D("NaN")}), strict) == ()


@pytest.mark.parametrize(
    "name",
    [
        "DOGEUSDT",
        "btcusdt",
        "BTCUSDT ",
        "BTC/USDT",
        "BTC",
        "",
        "ВTCUSDT",  # the first letter is Cyrillic
        "ＢTCUSDT",  # full width
        "BTC\u200bUSDT",  # a space of no width
        "usdt",
    ],
)
def test_a_symbol_that_is_not_of_this_cycle_is_named_as_it_was_written(name: str) -> None:
    assert details(symbols_are_listed, {name: D("0.1")}) == [f"{name} cannot be traded in this cycle"]
    assert broken({name: D("0.1"), "BTCUSDT": D("0.5")}) == ["symbols_are_listed"]


def test_the_quote_asset_is_always_listed_and_a_symbol_without_a_price_is_not() -> None:
    assert details(symbols_are_listed, "USDT 50%, BTC 50%", bounds(tradable="ETH")) == [
        "BTCUSDT cannot be traded in this cycle"
    ]


@pytest.mark.parametrize("weight", ["-0.001", "1.0000001", "-1", "1000", *NOT_NUMBERS])
def test_a_weight_is_a_fraction(weight: str) -> None:
    assert details(weights_are_fractions, {"BTCUSDT": D(weight)}) == [
        f"BTCUSDT is {weight}; a weight lies between 0 and 1"
    ]


def test_a_visitor_reads_no_exponents() -> None:
    (complaint,) = details(weights_are_fractions, {"BTCUSDT": D("-0.0000001")})
    assert complaint == "BTCUSDT is -0.0000001; a weight lies between 0 and 1"


@pytest.mark.parametrize("weight", ["0", "-0", "1", "0.0000000001", "1.0"])
def test_nothing_and_everything_are_fractions(weight: str) -> None:
    assert details(weights_are_fractions, {"BTCUSDT": D(weight)}) == []


@pytest.mark.parametrize("weight", NOT_NUMBERS)
def test_what_is_no_number_is_refused_without_arithmetic_on_it(weight: str) -> None:
    assert broken({"BTCUSDT": D(weight), "ETHUSDT": D("0.5")}) == ["weights_are_fractions"]
    assert broken({"USDT": D(weight)}) == ["weights_are_fractions"]


def test_beside_what_is_no_number_the_unknown_symbol_is_named_too() -> None:
    assert broken({"DOGEUSDT": D("NaN")}) == ["symbols_are_listed", "weights_are_fractions"]


@pytest.mark.parametrize(
    ("cash", "fine"),
    [
        ("0.505", True),  # 1.005, the edge itself
        ("0.5050001", False),
        ("0.495", True),  # 0.995
        ("0.4949999", False),
        ("0.5", True),
        ("0", False),
    ],
)
def test_a_stated_total_is_one_within_the_tolerance(cash: str, fine: bool) -> None:
    weights = {"BTCUSDT": D("0.5"), "USDT": D(cash)}
    assert broken(weights) == ([] if fine else ["total_is_one"])


@pytest.mark.parametrize(("ether", "fine"), [("0.505", True), ("0.5050001", False), ("0.1", True), ("0", True)])
def test_without_the_quote_asset_the_rest_is_cash_and_only_too_much_is_wrong(ether: str, fine: bool) -> None:
    total = D("0.5") + D(ether)
    complaints = details(total_is_one, {"BTCUSDT": D("0.5"), "ETHUSDT": D(ether)})
    assert complaints == ([] if fine else [f"the weights add up to {total}, more than the whole portfolio"])


def test_the_total_is_told_as_it_was() -> None:
    assert details(total_is_one, "BTC 50%, USDT 60%") == ["the weights add up to 1.1, not to 1 within 0.005"]


@pytest.mark.parametrize(("weight", "fine"), [("0.4", True), ("0.4000001", False), ("1", False)])
def test_no_symbol_above_the_cap(weight: str, fine: bool) -> None:
    complaints = details(weight_below_cap, {"BTCUSDT": D(weight)}, bounds(max_weight="0.4"))
    assert complaints == ([] if fine else [f"BTCUSDT at {weight} is above the cap of 0.4"])


def test_the_cap_is_not_for_cash() -> None:
    assert broken("USDT 100%", bounds(max_weight="0.4")) == []


@pytest.mark.parametrize(
    ("weights", "fine"),
    [
        ("BTC 80%", True),
        ("BTC 80.5%", True),  # cash 0.195, within 0.005 of the floor
        ("BTC 80.50001%", False),
        ("BTC 80%, USDT 20.5%", True),  # what is left counts, not what is called cash
        ("USDT 100%", True),
    ],
)
def test_cash_stays_above_the_floor(weights: str, fine: bool) -> None:
    assert (details(cash_above_floor, weights, bounds(min_cash="0.2")) == []) is fine


@pytest.mark.parametrize(
    ("held", "weights", "turnover"),
    [
        ("", "BTC 100%", "1"),  # from cash: (1 + 1) / 2
        ("BTC 100%", "ETH 100%", "1"),  # (1 + 1 + 0) / 2
        ("BTC 100%", "USDT 100%", "1"),
        ("BTC 60%, ETH 40%", "BTC 50%, ETH 40%", "0.1"),  # (0.1 + 0.1) / 2
        ("BTC 60%, ETH 40%", "BTC 50%, ETH 50%", "0.1"),  # (0.1 + 0.1 + 0) / 2
        ("BTC 60%", "BTC 60%", "0"),
        ("BTC 60%", "SOL 60%", "0.6"),  # (0.6 + 0.6 + 0) / 2; what is not named is sold
    ],
)
def test_turnover_is_half_of_all_changes_of_weight(held: str, weights: str, turnover: str) -> None:
    exactly = D(turnover)
    assert details(turnover_below_cap, weights, bounds(held=held, max_turnover=turnover)) == []
    if exactly:
        # the tolerance of 0.005 is used up by a cap that is 0.0051 lower
        lower = bounds(held=held, max_turnover=str(exactly - D("0.0051")))
        assert details(turnover_below_cap, weights, lower) == [
            f"a turnover of {exactly:.4f} is above the cap of {exactly - D('0.0051')}"
        ]


def test_all_rules_run_and_all_violations_are_kept_in_the_order_of_the_rules() -> None:
    strict = bounds(held="ETH 50%", max_weight="0.5", min_cash="0.2", max_turnover="0.3")
    assert broken("DOGE 110%, BTC 60%, PEPE -10%, USDT 0%", strict) == [
        "symbols_are_listed",
        "symbols_are_listed",
        "weights_are_fractions",
        "weights_are_fractions",
        "total_is_one",
        "weight_below_cap",
        "weight_below_cap",
        "cash_above_floor",
        "turnover_below_cap",
    ]


def test_every_rule_is_in_the_list_once() -> None:
    assert len(set(RULES)) == len(RULES) == 6


weights = st.dictionaries(
    st.sampled_from(["BTCUSDT", "ETHUSDT", "DOGEUSDT", "USDT"]), st.decimals(-2, 2, places=4), max_size=4
)


@some
@given(weights)
def test_each_rule_says_together_with_the_others_what_it_says_alone(weights: dict[str, Decimal]) -> None:
    strict = bounds(held="BTC 30%", max_weight="0.5", min_cash="0.1", max_turnover="0.5")
    decision = wanting(weights)
    alone = [violation for rule in RULES for violation in rule(decision, strict)]
    assert list(violations_of(decision, strict)) == alone
    assert all(violation.rule in {rule.__name__ for rule in RULES} for violation in alone)


@some
@given(weights)
def test_judging_changes_nothing_of_the_decision(weights: dict[str, Decimal]) -> None:
    before = dict(weights)
    violations_of(wanting(weights), bounds())
    assert weights == before


decisions = st.builds(
    Decision,
    st.sampled_from(Action),
    st.dictionaries(st.text(max_size=8), st.decimals(0, 1, places=30), max_size=4),
    st.none() | st.decimals(0, 1, places=18),
    st.text(max_size=50),
)


@some
@given(decisions)
def test_a_stored_decision_reads_back_as_it_was(decision: Decision) -> None:
    content: dict[str, Any] = decision_content(decision)
    assert decision_of(content) == decision
    assert decision_content(decision_of(content)) == content


def test_only_the_agents_own_word_is_valid() -> None:
    valid = {kind for kind in VerdictKind if Verdict(kind).is_valid}
    assert valid == {VerdictKind.REBALANCE, VerdictKind.HOLD}


@some
@given(
    st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT", "ADAUSDT", "USDT"]), st.decimals("-0.1", "1.1", places=2)),
    st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT"]), st.decimals(0, "0.5", places=2)),
    st.sampled_from([{}, {"max_weight": "0.5"}, {"min_cash": "0.2"}, {"max_turnover": "0.3"}]),
)
def test_what_one_look_calls_fair_breaks_no_rule(
    weights: dict[str, Decimal], held: dict[str, Decimal], limits: dict[str, str]
) -> None:
    within = bounds(**limits)._replace(held=held)
    if plainly_fair(weights, within):
        assert [violation for rule in RULES for violation in rule(wanting(weights), within)] == []
