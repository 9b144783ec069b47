"""Every field of a season's rules in plain words. A field without words here fails a test."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from competition.core.rules import Rules
from competition.pages.figures import exact_duration, moment, money, quantity

MARKET, CALENDAR, COSTS, BOARD = "The market", "The calendar", "Costs", "The board"
DECISION = "What a decision may ask for"
SECTIONS = (MARKET, CALENDAR, DECISION, COSTS, BOARD)

_SOURCES = {
    "synthetic": "made up by a program from a seed; no price was ever paid",
    "stored": "recorded candles of the exchange",
    "binance": "Binance's public data, kept current while the season is played",
}
_EXECUTIONS = {"paper": "nowhere: they are on paper", "testnet": "to the spot testnet of Binance"}
_EXCHANGES = {
    "testnet": "the spot testnet of Binance, where orders go at all",
    "double": "a simulated exchange on the machine of whoever runs this; Binance gets none of these orders",
}
_FILLS = {
    "reference": "on paper, at the shared price snapshot taken once after the deadline",
    "venue": "those of the testnet",
}


@dataclass(frozen=True, slots=True)
class RuleText:
    """One field: its section, what it is called, its value in words, and what it means."""

    field: str
    section: str
    label: str
    value: Callable[[Rules], str]
    meaning: str


def _bps(amount: Decimal) -> str:
    return f"{quantity(amount / 100)}% of the amount"


def _ten_places(fraction: Decimal) -> str:
    return f"{quantity(fraction * 100)}%"


def _fills(rules: Rules) -> str:
    if rules.market_source != "binance" or rules.fills != "reference":
        return _FILLS[rules.fills]
    return (
        "on paper, level by level through the order book recorded with the shared price snapshot, for each entry as if "
        "it were alone; without a usable book at the newest closed candle's price"
    )


RULE_TEXTS: tuple[RuleText, ...] = (
    RuleText(
        "universe",
        MARKET,
        "Symbols",
        lambda rules: ", ".join(rules.universe),
        "Only these may be held, and every entry is shown the same figures about them.",
    ),
    RuleText("quote", MARKET, "Cash", lambda rules: rules.quote, "What is not allocated stays in it."),
    RuleText(
        "capital",
        MARKET,
        "Start capital",
        lambda rules: f"{money(rules.capital)} {rules.quote}",
        "The same for every entry, posted to its ledger when the season opens.",
    ),
    RuleText(
        "market_source",
        MARKET,
        "Where prices come from",
        lambda rules: _SOURCES[rules.market_source],
        "A season has one source and never falls back to another.",
    ),
    RuleText(
        "market_seed",
        MARKET,
        "Seed of the made-up market",
        lambda rules: str(rules.market_seed) if rules.market_source == "synthetic" else "not used",
        "The same seed makes the same prices, hour by hour.",
    ),
    RuleText(
        "timeframe",
        MARKET,
        "Candles",
        lambda rules: rules.timeframe,
        "A candle is known from its close on; no brief shows one that is still open.",
    ),
    RuleText(
        "price_max_age_market_s",
        MARKET,
        "Oldest usable price",
        lambda rules: exact_duration(rules.price_max_age_market_s),
        "An older price counts as none. A held asset without a price stops the week; it is never valued at zero.",
    ),
    RuleText(
        "starts_at",
        CALENDAR,
        "First decision",
        lambda rules: f"{moment(rules.starts_at).text} UTC",
        "Week 1 is due then; every other week follows at the same distance.",
    ),
    RuleText("cycles", CALENDAR, "Weeks", lambda rules: f"{rules.cycles:,}", "The season closes after the last."),
    RuleText(
        "cycle_s",
        CALENDAR,
        "Time between decisions",
        lambda rules: exact_duration(rules.cycle_s),
        "By the clock on the wall.",
    ),
    RuleText(
        "market_cycle_s",
        CALENDAR,
        "Market time between decisions",
        lambda rules: exact_duration(rules.market_cycle_s),
        "Longer than the above where a season runs its market faster than the clock.",
    ),
    RuleText(
        "market_starts_at",
        CALENDAR,
        "Market time at the first decision",
        lambda rules: f"{moment(rules.market_starts_at).text} UTC",
        "From here market time runs on at the season's pace.",
    ),
    RuleText(
        "on_time_s",
        CALENDAR,
        "Counts as on time",
        lambda rules: exact_duration(rules.on_time_s),
        "Later than this a week opens late: it says so, and takes the prices of the moment, not those it missed.",
    ),
    RuleText(
        "late_s",
        CALENDAR,
        "Latest opening",
        lambda rules: f"{exact_duration(rules.late_s)} after it was due",
        "After that the week is recorded as missed, and everybody keeps what they have.",
    ),
    RuleText(
        "ask_s",
        CALENDAR,
        "Time to decide",
        lambda rules: exact_duration(rules.ask_s),
        "A reply after the deadline is kept and shown, and counts for nothing.",
    ),
    RuleText(
        "attempt_s",
        CALENDAR,
        "Time for one attempt",
        lambda rules: exact_duration(rules.attempt_s),
        "An entry that has not answered by then is asked again.",
    ),
    RuleText(
        "attempts_max",
        CALENDAR,
        "Attempts",
        lambda rules: f"{rules.attempts_max}",
        "How often an entry that gives no reply is asked in one week.",
    ),
    RuleText(
        "repairs_max",
        CALENDAR,
        "Repairs",
        lambda rules: f"{rules.repairs_max}",
        "How often an entry whose reply was unusable is told why, and may answer again.",
    ),
    RuleText(
        "trade_window_s",
        CALENDAR,
        "Time to trade",
        lambda rules: f"{exact_duration(rules.trade_window_s)} after the deadline",
        "When there are no prices by its end, nobody trades that week.",
    ),
    RuleText(
        "turn_lease_s",
        CALENDAR,
        "Hold on a turn being traded",
        lambda rules: exact_duration(rules.turn_lease_s),
        "When a process dies while it carries out a turn, another takes over after this.",
    ),
    RuleText(
        "max_weight",
        DECISION,
        "Largest position",
        lambda rules: f"{_ten_places(rules.max_weight)} of the portfolio",
        "In any one symbol.",
    ),
    RuleText(
        "min_cash",
        DECISION,
        "Least cash",
        lambda rules: f"{_ten_places(rules.min_cash)} of the portfolio",
        "What the target weights must leave in cash.",
    ),
    RuleText(
        "max_turnover",
        DECISION,
        "Largest turnover",
        lambda rules: f"{_ten_places(rules.max_turnover)} of the portfolio in a week",
        "Half the sum of all changes of weight, cash included: selling everything for something else is 100%.",
    ),
    RuleText(
        "total_tolerance",
        DECISION,
        "Tolerance of the total",
        lambda rules: _ten_places(rules.total_tolerance),
        "A stated total further from 100% is rejected. It is never scaled to fit.",
    ),
    RuleText(
        "drift_band",
        DECISION,
        "Drift left alone",
        lambda rules: f"{_ten_places(rules.drift_band)} of the portfolio",
        "A smaller difference from the target is not traded, so that the same target twice orders nothing.",
    ),
    RuleText(
        "execution",
        COSTS,
        "Where orders go",
        lambda rules: _EXECUTIONS[rules.execution],
        "Play money either way. The testnet is the exchange's own, with prices of its own, and is wiped now and then.",
    ),
    RuleText(
        "exchange",
        COSTS,
        "Which exchange",
        lambda rules: _EXCHANGES[rules.exchange],
        "A season that is played at a simulated exchange never sends an order anywhere else.",
    ),
    RuleText(
        "fills",
        COSTS,
        "Fills",
        _fills,
        "At the shared prices everybody trades alike, and an order on the testnet is only proof that it could be "
        "carried out. Fills of the testnet are booked as they came, with its prices and fees.",
    ),
    RuleText("fee_bps", COSTS, "Fee", lambda rules: _bps(rules.fee_bps), "Paid on every fill, by everyone."),
    RuleText(
        "slippage_bps",
        COSTS,
        "Slippage",
        lambda rules: _bps(rules.slippage_bps),
        "Every price is moved this far against the one who trades; with a recorded order book, only beyond its end.",
    ),
    RuleText(
        "benchmark",
        BOARD,
        "Benchmark",
        lambda rules: rules.benchmark,
        "The entry whose return is subtracted to give the excess.",
    ),
    RuleText(
        "ranked_after_cycles",
        BOARD,
        "Ranked from",
        lambda rules: f"week {rules.ranked_after_cycles}",
        "Before that an entry is shown without a rank.",
    ),
    RuleText(
        "ranked_coverage",
        BOARD,
        "Coverage for a rank",
        lambda rules: f"{_ten_places(rules.ranked_coverage)} valid decisions",
        "Valid decisions divided by weeks due. Whoever has fewer is shown below the ranks, with the reason.",
    ),
)
