"""The ledger: nothing is made or lost, a book is the fold of its journals, and history cannot be altered unnoticed."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.symbols import Symbol
from portfolio.core.book import (
    GENESIS,
    Account,
    Book,
    BrokenLedger,
    Journal,
    JournalKind,
    MissingPrice,
    Posting,
    checked,
    fill_journal,
    fold,
    funding_journal,
    head_of,
    holdings_value,
    journal_hash,
    overdrawn,
    postings_text,
    value_of,
    weights_of,
)
from portfolio.core.orders import Fill, Side
from tests.notation import MONDAY, B, D, J, P, S, amounts, assets, fill, held, listed, positive, some

BTC = S("BTC")["BTCUSDT"]


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    """A fill of BTC for USDT; the fee is taken in quote, base, or a third asset."""
    quantity, amount, fee = draw(positive), draw(positive), draw(st.just(D(0)) | positive)
    side, fee_asset = draw(st.sampled_from(Side)), draw(st.sampled_from(["USDT", "BTC", "BNB"]))
    number = draw(st.integers(0, 10**9))
    price = amount / quantity
    return Fill(str(number), "oo-1", "BTCUSDT", side, quantity, price, amount, fee, fee_asset, MONDAY)


@st.composite
def transfers(draw: st.DrawFn) -> Journal:
    """A balanced journal of one to four movements between any accounts."""
    postings: list[Posting] = []
    for _ in range(draw(st.integers(1, 4))):
        amount, asset = draw(amounts), draw(assets)
        source, target = draw(st.sampled_from(Account)), draw(st.sampled_from(Account))
        postings += [Posting(source, asset, -amount), Posting(target, asset, amount)]
    return Journal(draw(st.text(max_size=5)), JournalKind.CORRECTION, MONDAY, tuple(postings))


def sums(journals: list[Journal]) -> dict[str, Decimal]:
    """What all accounts together hold, by asset; nothing, if nothing was made or lost."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for journal in journals:
        for posting in journal.postings:
            totals[posting.asset] += posting.amount
    return {asset: total for asset, total in totals.items() if total}


def test_start_capital_is_a_posting_like_any_other() -> None:
    funding = funding_journal(D(10_000), "USDT", MONDAY)
    assert (funding.key, funding.kind) == ("funding", JournalKind.FUNDING)
    assert held(fold([funding])) == "10000 USDT"
    assert sums([funding]) == {}


def test_a_buy_takes_quote_and_gives_base_and_the_fee_goes_to_whoever_takes_it() -> None:
    bought = fill_journal(fill("buy 2 BTC for 100", fee="0.1 USDT", trade_id="77"), BTC)
    # 1000 - 100 - 0.1 = 899.9
    assert held(fold([bought], B("1000 USDT"))) == "2 BTC, 899.9 USDT"
    assert [(p.account.value, p.amount, p.asset) for p in bought.postings] == [
        ("entry", D(-100), "USDT"),
        ("venue", D(100), "USDT"),
        ("venue", D(-2), "BTC"),
        ("entry", D(2), "BTC"),
        ("entry", D("-0.1"), "USDT"),
        ("fees", D("0.1"), "USDT"),
    ]


def test_a_sell_takes_base_and_gives_quote() -> None:
    sold = fill_journal(fill("sell 2 BTC for 100", fee="0.1 USDT"), BTC)
    # 100 - 0.1 = 99.9
    assert held(fold([sold], B("3 BTC"))) == "1 BTC, 99.9 USDT"


@pytest.mark.parametrize(
    ("fee", "after"),
    [
        ("0.1 USDT", "1 BNB, 2 BTC, 899.9 USDT"),
        ("0.002 BTC", "1 BNB, 1.998 BTC, 900 USDT"),
        ("0.25 BNB", "0.75 BNB, 2 BTC, 900 USDT"),
        ("1 BNB", "2 BTC, 900 USDT"),
        ("0 BNB", "1 BNB, 2 BTC, 900 USDT"),
    ],
)
def test_a_fee_is_taken_in_any_asset(fee: str, after: str) -> None:
    bought = fill_journal(fill("buy 2 BTC for 100", fee=fee), BTC)
    assert held(fold([bought], B("1000 USDT, 1 BNB"))) == after


@some
@given(fills())
def test_whatever_is_filled_every_asset_sums_to_zero_over_all_accounts(filled: Fill) -> None:
    journal = fill_journal(filled, BTC)
    assert sums([journal]) == {}
    assert checked(journal) is journal


@some
@given(st.lists(fills(), max_size=6))
def test_the_book_is_the_mirror_of_all_other_accounts(filled: list[Fill]) -> None:
    journals = [funding_journal(D(10_000), "USDT", MONDAY), *(fill_journal(one, BTC) for one in filled)]
    others: defaultdict[str, Decimal] = defaultdict(Decimal)
    for posting in (p for j in journals for p in j.postings if p.account is not Account.ENTRY):
        others[posting.asset] -= posting.amount
    assert fold(journals) == Book({asset: others[asset] for asset in sorted(others) if others[asset]})


@some
@given(st.lists(transfers(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_journals_does_not_change_the_book(journals: list[Journal], dice: object) -> None:
    shuffled = list(journals)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(shuffled) == fold(journals)
    assert list(fold(shuffled).balances) == list(fold(journals).balances)


@some
@given(st.lists(transfers(), max_size=6), st.integers(0, 6))
def test_a_book_is_the_same_whether_folded_at_once_or_in_parts(journals: list[Journal], cut: int) -> None:
    assert fold(journals[cut:], fold(journals[:cut])) == fold(journals)


def test_the_fold_is_exact_in_every_digit_the_ledger_keeps() -> None:
    tiny, huge = "0.000000000000000001", "1000000000000"
    journals = [J(f"entry {huge} X, venue -{huge} X"), J(f"entry {tiny} X, venue -{tiny} X")]
    assert fold(journals).of("X") == D("1000000000000.000000000000000001")


def test_what_is_used_up_vanishes_from_the_book() -> None:
    gone = fold([J("entry -2 BTC, venue 2 BTC")], B("2 BTC, 5 USDT"))
    assert gone == B("5 USDT")
    assert gone.of("BTC") == 0
    assert fold([]) == Book()


def test_postings_of_other_accounts_are_not_in_the_book() -> None:
    assert fold([J("fees 5 USDT, venue -5 USDT")]) == Book()


@pytest.mark.parametrize(
    ("journal", "complaint"),
    [
        ("", "moves nothing"),
        ("entry 1 USDT", "does not sum to zero in USDT: 1 left over"),
        ("entry 100 USDT, venue -99.999999999999999999 USDT", "0.000000000000000001|1E-18"),
        ("entry 100 USDT, venue -100 BTC", "does not sum to zero in USDT"),
        ("entry NaN USDT, venue NaN USDT", "NaN USDT is not an amount"),
        ("entry -NaN USDT, venue 1 USDT", "is not an amount"),
        ("entry sNaN USDT, venue 1 USDT", "is not an amount"),
        ("entry Infinity USDT, venue -Infinity USDT", "is not an amount"),
        ("entry 0.0000000000000000001 USDT, venue -0.0000000000000000001 USDT", "more than 18 decimals"),
    ],
)
def test_a_journal_that_is_no_journal_is_refused(journal: str, complaint: str) -> None:
    with pytest.raises(BrokenLedger, match=complaint):
        checked(J(journal))


def test_eighteen_decimals_are_kept() -> None:
    fine = J("entry 0.000000000000000001 ETH, venue -0.000000000000000001 ETH")
    assert checked(fine) is fine


def test_a_journal_out_of_balance_by_its_last_digit_is_refused() -> None:
    with pytest.raises(BrokenLedger, match="does not sum to zero"):
        checked(J("entry 1000000000000 USDT, venue 0.000000000000000001 USDT, funding -1000000000000 USDT"))


def test_an_amount_beyond_what_the_ledger_keeps_is_refused() -> None:
    with pytest.raises(BrokenLedger):
        checked(J("entry 1E+90 USDT, venue -1E+90 USDT"))


@pytest.mark.parametrize("amount", ["0", "0.00"])
def test_start_capital_of_nothing_is_refused(amount: str) -> None:
    with pytest.raises(BrokenLedger, match="moves nothing"):
        funding_journal(D(amount), "USDT", MONDAY)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_start_capital_that_is_no_number_is_refused(amount: str) -> None:
    with pytest.raises(BrokenLedger, match="is not an amount"):
        funding_journal(D(amount), "USDT", MONDAY)


@pytest.mark.parametrize("field", ["quantity", "quote_amount", "fee"])
def test_a_fill_with_a_figure_that_is_no_number_is_refused(field: str) -> None:
    with pytest.raises(BrokenLedger, match="is not an amount"):
        fill_journal(fill("buy 2 BTC for 100")._replace(**{field: D("NaN")}), BTC)


def test_a_fill_of_nothing_is_refused() -> None:
    with pytest.raises(BrokenLedger, match="moves nothing"):
        fill_journal(fill("buy 1 BTC for 1")._replace(quantity=D(0), quote_amount=D(0)), BTC)


def test_equal_trade_ids_of_two_symbols_have_different_keys() -> None:
    bitcoin = fill_journal(fill("buy 1 BTC for 100", trade_id="365249"), BTC)
    ether = fill_journal(fill("buy 1 ETH for 10", trade_id="365249"), S("ETH")["ETHUSDT"])
    assert bitcoin.key != ether.key


def test_less_than_nothing_of_an_asset_is_overdrawn() -> None:
    assert overdrawn(B("-1 USDT, 2 BTC, -0.1 ETH")) == ("ETH", "USDT")
    assert overdrawn(B("1 USDT, 0 BTC")) == ()


@some
@given(st.lists(transfers(), min_size=1, max_size=5), st.data())
def test_altering_any_earlier_journal_changes_the_head_of_the_chain(
    journals: list[Journal], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(journals) - 1))
    one = journals[index]
    first = one.postings[0]
    altered = data.draw(
        st.sampled_from(
            [
                one._replace(key=one.key + "!"),
                one._replace(kind=JournalKind.FUNDING),
                one._replace(at=one.at + timedelta(microseconds=1)),
                one._replace(reason="another"),
                one._replace(postings=(first._replace(amount=first.amount + 1), *one.postings[1:])),
                one._replace(postings=(first._replace(asset=first.asset + "2"), *one.postings[1:])),
            ]
        )
    )
    assert head_of([*journals[:index], altered, *journals[index + 1 :]]) != head_of(journals)


def test_swapping_or_dropping_journals_changes_the_head_of_the_chain() -> None:
    one, two = J("entry 1 BTC, venue -1 BTC", "a"), J("entry 2 BTC, venue -2 BTC", "b")
    heads = {head_of(chain) for chain in ([], [one], [two], [one, two], [two, one], [one, two, two])}
    assert len(heads) == 6
    assert head_of([]) == GENESIS
    assert head_of([one, two]) == journal_hash(journal_hash(GENESIS, one), two)


def test_an_amount_written_with_more_zeros_has_the_same_hash() -> None:
    assert head_of([J("entry 1.50 BTC, venue -1.50 BTC")]) == head_of([J("entry 1.5 BTC, venue -1.5 BTC")])


def test_the_text_of_postings_names_the_portfolio_and_has_a_line_per_journal() -> None:
    one, two = J("entry 1 BTC, venue -1 BTC", "a"), J("entry 2 BTC, venue -2 BTC", "b")
    assert postings_text("season/entry", [one, two]).count("\n") == 2
    assert postings_text("season/entry", [one]) != postings_text("season/other", [one])


def test_a_book_is_worth_its_cash_and_every_holding_at_its_price() -> None:
    book, prices = B("100 USDT, 2 BTC, 3 ETH"), P("BTC 50000, ETH 3000")
    # 100 + 2 * 50000 + 3 * 3000 = 109100
    assert value_of(book, prices, S("BTC, ETH"), "USDT") == 109_100
    assert holdings_value(book, prices, S("BTC, ETH"), "USDT") == P("BTC 100000, ETH 9000")
    assert value_of(Book(), prices, S("BTC, ETH"), "USDT") == 0


@pytest.mark.parametrize("prices", ["", "ETH 3000"])
def test_a_held_asset_without_a_price_has_no_value_rather_than_none(prices: str) -> None:
    for figure in (holdings_value, value_of, weights_of):
        with pytest.raises(MissingPrice, match="2 BTC is held and has no price"):
            figure(B("100 USDT, 2 BTC"), P(prices), S("BTC, ETH"), "USDT")


def test_an_asset_that_is_no_symbol_of_the_season_has_no_price() -> None:
    with pytest.raises(MissingPrice, match="1 DOGE"):
        value_of(B("1 DOGE"), P("BTC 50000"), S("BTC"), "USDT")


def test_a_holding_that_is_also_the_quote_of_another_symbol_is_not_worth_zero() -> None:
    ether_in_bitcoin = Symbol("ETHBTC", "ETH", "BTC", D("0.001"), D("0.001"), D(1000), D("0.00001"), D("0.0001"))
    prices = {"BTCUSDT": D(50_000), "ETHBTC": D("0.06")}
    assert value_of(B("1 BTC"), prices, listed(BTC, ether_in_bitcoin), "USDT") == 50_000


@some
@given(amounts)
def test_the_float_of_an_amount_is_the_nearest_there_is(amount: Decimal) -> None:
    assert Book({"USDT": amount}).float_of("USDT") == float(amount)
    assert Book().float_of("USDT") == 0.0


def test_weights_are_fractions_of_the_value() -> None:
    weights = weights_of(B("50 USDT, 1 BTC, 5 ETH"), P("BTC 100, ETH 10"), S("BTC, ETH"), "USDT")
    # 100 / 200 and 50 / 200; the rest is cash
    assert weights == {"BTCUSDT": D("0.5"), "ETHUSDT": D("0.25")}


def test_an_empty_book_has_no_weights() -> None:
    assert weights_of(Book(), P("BTC 100"), S("BTC"), "USDT") == {}
