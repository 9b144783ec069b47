"""What an entry is said to do, from weeks made by hand."""

from decimal import Decimal

from competition.pages.behaviour import Flow, Week, behaviour_of
from competition.pages.holdings import PricedBook
from market.core.symbols import DEFAULT_SYMBOLS
from portfolio.core.book import Book

SYMBOLS = {symbol.name: symbol for symbol in DEFAULT_SYMBOLS}
NOW = PricedBook(
    Book({"BTC": Decimal(3), "ETH": Decimal(3), "USDT": Decimal(40)}),
    {"BTCUSDT": Decimal(10), "ETHUSDT": Decimal(10)},
    SYMBOLS,
    "USDT",
)


def week(number: int, verdict: str = "hold", **changes: object) -> Week:
    given = {
        "state": "settled",
        "rules": (),
        "traded": Decimal(0),
        "value_before": Decimal(100),
        "value_after": Decimal(100),
    }
    asked = {"attempts": 0, "repairs": 0, "unanswered": 0, "usd": Decimal(0)}
    return Week(**{"number": number, "verdict": verdict, **given, **asked, **changes})  # type: ignore[arg-type]


def traits(
    *weeks: Week, flows: dict[int, Flow] | None = None, book: PricedBook = NOW, others: PricedBook = NOW
) -> dict[str, tuple[str, str]]:
    behaviour = behaviour_of(weeks, flows or {}, book, others, Decimal(100))
    return {trait.label: (trait.text, trait.note) for trait in behaviour.traits}


def troubles(*weeks: Week) -> dict[str, tuple[int, tuple[int, ...]]]:
    failures = behaviour_of(weeks, {}, NOW, NOW, Decimal(100)).failures
    return {trouble.what: (trouble.count, trouble.weeks) for trouble in failures.troubles}


def test_turnover_is_a_share_of_the_value_before_averaged_over_all_weeks() -> None:
    found = traits(week(1, traded=Decimal(60)), week(2), week(3, traded=Decimal(30), value_before=Decimal(200)))
    assert found["Trades"] == ("25.0% of its value a week", "in 2 of 3 weeks")  # (60% + 0% + 15%) / 3


def test_cash_is_followed_from_the_start_capital_through_every_fill() -> None:
    flows = {1: Flow({}, Decimal(-80)), 3: Flow({}, Decimal(20))}  # 20 of 100, 20 of 100, 40 of 100
    assert traits(week(1), week(2), week(3), flows=flows)["Keeps in cash"] == (
        "40.0% now",
        "27% on average over 3 weeks",
    )


def test_two_equal_holdings_are_spread_as_over_two() -> None:
    assert traits()["Largest holding"] == ("BTC 30.0%", "spread as over 2.0 equal ones")
    assert "Largest holding" not in traits(book=PricedBook(Book({"USDT": Decimal(1)}), {}, SYMBOLS, "USDT"))


def test_an_entry_goes_with_the_others_as_far_as_its_book_is_theirs() -> None:
    bitcoin_and_cash = PricedBook(Book({"BTC": Decimal(8), "USDT": Decimal(20)}), NOW.prices, SYMBOLS, "USDT")
    assert traits()["Goes with the others"] == ("100% of its book", "is as all others together hold it")
    assert traits(others=bitcoin_and_cash)["Goes with the others"][0] == "50% of its book"  # 30% BTC and 20% cash
    assert "Goes with the others" not in traits(others=PricedBook(Book({}), {}, SYMBOLS, "USDT"))


def test_what_it_says_of_how_sure_it_is_stands_beside_how_often_its_book_rose_then() -> None:
    sure = {"confidence": Decimal("0.9")}
    weeks = [week(1, **sure), week(2, value_before=Decimal(110), **sure), week(3, value_before=Decimal(90)), week(4)]
    assert traits(*weeks)["Says it is sure"] == (
        "90% on average",
        "its book rose in 1 of the 2 weeks that followed",
    )
    assert traits(week(1, **sure))["Says it is sure"] == ("90% on average", "")
    assert "Says it is sure" not in traits(week(1), week(2))


def test_cost_is_told_per_week_that_was_asked_with_the_dearest() -> None:
    found = traits(week(1, attempts=1, usd=Decimal("0.01")), week(2, attempts=2, usd=Decimal("0.03")), week(3))
    assert found["Costs"] == ("0.0200 USD a week", "at most 0.0300, in week 2")
    assert "Costs" not in traits(week(1))


def test_a_trouble_counts_once_a_week_and_names_the_newest_weeks() -> None:
    broken = {"rules": ("total_is_one", "total_is_one"), "attempts": 2, "repairs": 1}
    found = troubles(week(1, "rejected", **broken), week(2, "silent", attempts=1, unanswered=1), week(3))
    assert found["Broke the rule “total is one”"] == (1, (1,))
    assert (found["Rejected"], found["Silent"]) == ((1, (1,)), (1, (2,)))
    assert found["Asked again in vain"] == (1, (1,))
    assert found["Asked without an answer in time"] == (1, (2,))
    many = troubles(*(week(number, "silent") for number in range(1, 21)))
    assert many == {"Silent": (20, tuple(range(20, 8, -1)))}


def test_a_reply_that_came_right_when_asked_again_is_a_repair() -> None:
    assert troubles(week(1, "rebalance", attempts=2, repairs=1)) == {"Repaired after being asked again": (1, (1,))}


def test_a_week_that_is_still_asked_has_not_failed() -> None:
    assert troubles(week(1, "", state="asking", value_after=None)) == {}
