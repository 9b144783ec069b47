"""The floor under a work: the decimals that its orders need, and nothing else, over the same candles.

It knows beforehand what will be ordered, so it plans each turn once and finds nothing out. Per symbol it takes the
value held, the quantity wanted down to the step, and what differs; per order the price after slippage, the amount and
the fee, rounded as the exchange rounds, three amounts held against the ledger's scale, and three balances. There are no
records (order, fill, journal, postings), no rules, no filters, no broker, no curve: the engine cannot be faster than
this while its ledger is exact.
"""

import json
import resource
import sys
import time
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from _backtest_ours import agent_of, in_django, play, stage_of

PRICE_PLACES, QUOTE_PLACES, ATOM = Decimal("1e-18"), Decimal("1e-8"), Decimal("1e-18")
NOTHING = Decimal(0)


def work_of(played, stage):
    """Per turn: prices by symbol, holdings, cash, weight, and which symbols are ordered and how much."""
    names = list(stage.symbols)
    turns = []
    for turn in played.turns:
        prices, book = stage.fill_at(turn.row + 1), turn.record.book_before
        held = [book.of(stage.symbols[name].base) for name in names]
        orders = [
            (names.index(e.order.symbol), e.order.side == "buy", e.order.quantity) for e in turn.record.executions
        ]
        turns.append(([prices[name] for name in names], held, book.of(stage.rules.quote), orders))
    return turns, [stage.symbols[name].step for name in names]


def arithmetic(turns, steps, weight, dearer, cheaper, fee_rate, exact):
    """What is left in cash after the last turn, so that nothing of it was for nothing."""
    add, remainder, cash = exact.add, exact.remainder, NOTHING
    for prices, held, quote, orders in turns:
        value, cash = quote, quote
        for price, quantity in zip(prices, held, strict=True):
            value += quantity * price
        for price, quantity, step in zip(prices, held, steps, strict=True):
            apart = (value * weight / price).quantize(step, ROUND_DOWN) - quantity
            apart * price  # its notional, for the filters and the band
        for symbol, is_buy, quantity in orders:
            rounding = ROUND_UP if is_buy else ROUND_DOWN
            price = (prices[symbol] * (dearer if is_buy else cheaper)).quantize(PRICE_PLACES, rounding, exact)
            amount = (price * quantity).quantize(QUOTE_PLACES, rounding, exact)
            fee = (amount * fee_rate).quantize(QUOTE_PLACES, ROUND_UP, exact)
            remainder(amount, ATOM), remainder(quantity, ATOM), remainder(fee, ATOM)
            add(held[symbol], quantity if is_buy else -quantity)
            cash = add(add(cash, -amount if is_buy else amount), -fee)
        value = cash
        for price, quantity in zip(prices, held, strict=True):
            value += quantity * price
    return cash


WEIGHTS = {"weekly": Decimal("0.2"), "arrays": Decimal(1)}  # of each symbol, where it is wanted


def main(work: str, folder: str) -> None:
    from market.core.exact import EXACT

    stage = stage_of(work, folder)
    played, _ = play(work, stage, agent_of(work))
    turns, steps = work_of(played, stage)
    slip, fee_rate = stage.rules.slippage_bps / 10_000, stage.rules.fee_bps / 10_000
    fixed = WEIGHTS[work], 1 + slip, 1 - slip, fee_rate, EXACT
    assert arithmetic(turns, steps, *fixed) == played.book.of(stage.rules.quote), "it is not the same work"
    print(json.dumps({"ready": "floor"}), flush=True)
    for _ in sys.stdin:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        cash = arithmetic(turns, steps, *fixed)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trades = sum(len(orders) for *_, orders in turns)
        told = {"wall_s": wall_s, "cpu_s": cpu_s, "trades": trades, "value": float(cash), "peak_mib": peak_mib}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    in_django()
    main(*sys.argv[1:])
