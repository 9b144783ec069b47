"""The rules of a season: what contradicts itself is refused in words, and every field is in the hash."""

import json
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from competition.core.rules import CAME_LATER, FROZEN, Rules
from competition.core.schedule import boundary
from market.core.canonical import canonical_json
from portfolio.core.brokers import Costs
from portfolio.core.decisions import Limits
from tests.notation import MONDAY, D, at, rules, some

# another allowed value of every field
OTHER: dict[str, Any] = {
    "universe": ("BTCUSDT", "SOLUSDT"),
    "capital": "10000.00000001",
    "fee_bps": "10.0001",
    "slippage_bps": "0",
    "market_source": "stored",
    "market_seed": 2,
    "market_starts_at": at("2024-01-01 00:00:01"),
    "market_cycle_s": 604_801,
    "price_max_age_market_s": 3600,
    "starts_at": at("2024-01-01 00:00:01"),
    "cycles": 5,
    "cycle_s": 600_000,
    "ask_s": 3700,
    "attempt_s": 1201,
    "attempts_max": 4,
    "repairs_max": 0,
    "on_time_s": 121,
    "late_s": 172_801,
    "trade_window_s": 3601,
    "turn_lease_s": 61,
    "max_weight": "0.4",
    "min_cash": "0",
    "max_turnover": "0.9999999999",
    "total_tolerance": "0",
    "drift_band": "0.0050000001",
    "execution": "testnet",
    "benchmark": "",
    "ranked_after_cycles": 1,
    "ranked_coverage": "1",
}
# the quote goes with the universe, which has a test of its own
ONE_VALUE_ONLY = {"fills", "timeframe", "quote", "exchange"}


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        rules(**changes)
    return str(refused.value)


def test_a_plain_season_says_all_it_leaves_to_default() -> None:
    document = rules().document()
    assert document["capital"] == "10000"
    assert document["drift_band"] == "0.005"
    assert document["starts_at"] == "2024-01-01T00:00:00Z"
    assert document.keys() == Rules.model_fields.keys() - CAME_LATER.keys()
    assert rules().limits == Limits(D(1), D(0), D(1), D("0.005"))
    assert rules().costs == Costs(D(10), D(5))
    assert rules().price_max_age == timedelta(hours=6)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"universe": ("BTCUSDT", "BTCUSDT")}, "universe: a symbol is listed twice"),
        ({"universe": ()}, "universe"),
        ({"universe": tuple(f"C{n}USDT" for n in range(51))}, "universe"),
        ({"max_weight": "0"}, "max_weight of 0 allows no position at all"),
        ({"max_weight": "0.8", "min_cash": "0.3"}, "max_weight 0.8 and min_cash 0.3 contradict each other"),
        ({"min_cash": "0.0000000001"}, "contradict each other"),
        ({"max_turnover": "0"}, "max_turnover of 0 forbids every trade"),
        ({"drift_band": "0.003999"}, "drift_band 0.003999 is too narrow for these costs; at least 0.004"),
        ({"fee_bps": "100"}, "drift_band 0.005 is too narrow for these costs; at least 0.022"),
        ({"attempt_s": 3601}, "attempt_s is longer than ask_s"),
        ({"cycle_s": 7259, "late_s": 60}, "ask_s and trade_window_s together are longer than the cycle"),
        ({"turn_lease_s": 3601}, "turn_lease_s is longer than trade_window_s"),
        ({"late_s": 597_601}, "late_s, ask_s and trade_window_s together are longer than the cycle"),
        ({"capital": "0"}, "capital"),
        ({"capital": "-1"}, "capital"),
        ({"capital": "NaN"}, "capital"),
        ({"capital": "Infinity"}, "capital"),
        ({"capital": "1000000000000.01"}, "capital"),
        ({"capital": "0.000000001"}, "capital"),
        ({"capital": "much"}, "capital"),
        ({"fee_bps": "-1"}, "fee_bps"),
        ({"slippage_bps": "1000.1"}, "slippage_bps"),
        ({"max_weight": "1.1"}, "max_weight"),
        ({"min_cash": "-0.1"}, "min_cash"),
        ({"cycles": 0}, "cycles"),
        ({"cycles": 10_001}, "cycles"),
        ({"cycle_s": 0}, "cycle_s"),
        ({"repairs_max": -1}, "repairs_max"),
        ({"attempts_max": 0}, "attempts_max"),
        ({"price_max_age_market_s": 86_401}, "price_max_age_market_s"),
        ({"starts_at": "2024-01-01T00:00:00"}, "starts_at"),
        ({"market_starts_at": "monday"}, "market_starts_at"),
        ({"market_source": "binance!"}, "market_source"),
        ({"timeframe": "1m"}, "timeframe"),
        ({"fills": "venue"}, 'set execution to "testnet"'),
        ({"fills": "venue", "execution": "testnet", "market_cycle_s": 60}, "a market that runs with the clock"),
        ({"fills": "venue", "execution": "testnet", "trade_window_s": 1019}, "must be at least 1020"),
        ({"execution": "mainnet"}, "execution"),
        ({"exchange": "live", "execution": "testnet"}, "exchange"),
        ({"exchange": "double"}, 'set execution to "testnet"'),
        ({"leverage": 3}, "leverage"),
    ],
)
def test_rules_that_cannot_be_played_are_refused_with_the_reason(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in refusal(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_weight": "0.8", "min_cash": "0.2"},
        {"drift_band": "0.004"},  # 2 * (0.0010 + 0.0005) + 0.001
        {"fee_bps": "0", "slippage_bps": "0", "drift_band": "0.001"},
        {"attempt_s": 3600},
        {"cycle_s": 7260, "late_s": 60},
        {"late_s": 597_600},
        {"capital": "1000000000000"},
    ],
)
def test_the_edges_themselves_are_allowed(changes: dict[str, Any]) -> None:
    assert rules(**changes)


def test_a_late_cycle_that_would_run_into_the_next_is_refused() -> None:
    # opened at the last moment of the late window, it asks for an hour and trades for another
    assert "late_s" in refusal(late_s=604_800)


def test_being_on_time_later_than_the_end_of_asking_is_refused() -> None:
    assert "on_time_s" in refusal(on_time_s=3601)


def test_trading_at_the_prices_of_the_brief_is_refused() -> None:
    assert "ask_s" in refusal(ask_s=600, attempt_s=600)  # ten minutes of the market, whose candles last an hour


def test_a_quote_asset_that_no_symbol_is_priced_in_is_refused() -> None:
    assert "quote" in refusal(quote="EUR")


def test_all_fields_have_another_value_here() -> None:
    assert OTHER.keys() | ONE_VALUE_ONLY == Rules.model_fields.keys()


@pytest.mark.parametrize("field", [name for name in OTHER if name != "min_cash"])
def test_the_hash_changes_with_any_field(field: str) -> None:
    assert rules(**{field: OTHER[field]}).sha256 != rules().sha256


def test_the_hash_changes_with_the_cash_floor() -> None:
    assert rules(max_weight="0.5", min_cash="0.5").sha256 != rules(max_weight="0.5").sha256


def test_the_hash_changes_with_the_quote() -> None:
    elsewhere = rules(universe=("BTCUSDC", "ETHUSDC"), quote="USDC")
    assert elsewhere.sha256 != rules(universe=("BTCUSDC", "ETHUSDC"), quote="C").sha256


def test_the_hash_changes_with_the_order_of_the_universe() -> None:
    assert rules(universe=("ETHUSDT", "BTCUSDT")).sha256 != rules(universe=("BTCUSDT", "ETHUSDT")).sha256


@pytest.mark.parametrize("changes", [{}, OTHER])
def test_a_document_reads_back_as_the_rules_it_was_made_of(changes: dict[str, Any]) -> None:
    written = rules(**changes)
    stored = json.loads(canonical_json(written.document()))
    assert Rules(**stored) == written
    assert Rules(**stored).sha256 == written.sha256
    assert stored == written.document()


@some
@given(
    st.decimals("0.00000001", 10**12, places=8),
    st.decimals(0, 100, places=4),
    st.datetimes(at("2000-01-01").replace(tzinfo=None), at("2100-01-01").replace(tzinfo=None)),
    st.integers(1, 10_000),
)
def test_any_rules_read_back_as_they_were(capital: Decimal, fee: Decimal, starts: Any, cycles: int) -> None:
    starts_at = starts.replace(tzinfo=MONDAY.tzinfo)
    written = rules(capital=capital, fee_bps=fee, drift_band="0.03", starts_at=starts_at, cycles=cycles)
    assert Rules(**written.document()) == written
    assert Rules(**written.document()).sha256 == written.sha256


def test_rules_frozen_before_a_choice_existed_read_as_they_were_and_keep_their_hash() -> None:
    frozen = rules().document()
    assert "execution" not in frozen
    read = Rules.model_validate(frozen, context=FROZEN)
    assert (read.execution, read.fills) == ("paper", "reference")
    assert read.sha256 == "8dd6e321b8c7326915a28c95950f59f585018a4b223372d8f57f36fe164e2c3b"


def test_fills_of_the_venue_are_in_the_document_and_in_the_hash() -> None:
    proven = rules(execution="testnet")
    booked = rules(execution="testnet", fills="venue")
    assert proven.document()["execution"] == "testnet"
    assert len({rules().sha256, proven.sha256, booked.sha256}) == 3


def test_a_season_at_a_simulated_exchange_says_so_in_its_document_and_hash() -> None:
    real, simulated = rules(execution="testnet"), rules(execution="testnet", exchange="double")
    assert "exchange" not in real.document()
    assert simulated.document()["exchange"] == "double"
    assert real.sha256 != simulated.sha256


def test_equal_numbers_written_differently_are_equal_rules() -> None:
    assert rules(capital="1E+4", fee_bps="10.0000").sha256 == rules().sha256


def test_equal_instants_written_differently_are_equal_rules() -> None:
    elsewhere = rules(starts_at=MONDAY.astimezone(timezone(timedelta(hours=2))))
    assert elsewhere == rules()
    assert elsewhere.sha256 == rules().sha256


def test_rules_cannot_be_changed() -> None:
    frozen = rules()
    with pytest.raises(ValidationError, match="frozen"):
        frozen.capital = D(1)  # type: ignore[misc]
    assert boundary(frozen, 1) == MONDAY
