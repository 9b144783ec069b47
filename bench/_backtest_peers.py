"""The peers of the backtest benchmark, in their own environment; each plays the same candles when a line comes in.

weekly: a fifth of the value in each of five symbols, brought back every 168 hours, filled at the next close
cross:  all in while an average over 50 closes is above that over 200, filled at the next candle
"""

import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")

FEE, SLIPPAGE, CAPITAL, WEEK = 0.001, 0.0005, 10_000.0, 168
FAST, SLOW = 50, 200


def candles(work, folder):
    import numpy as np
    import pandas as pd

    data = np.load(f"{folder}/{'weekly' if work == 'weekly' else 'minutes'}.npz")
    index = pd.to_datetime(data["open_ms"], unit="ms")
    return pd.DataFrame(data["closes"], index=index, columns=data["names"].tolist())


def vectorbt_weekly(frame):
    import numpy as np
    import vectorbt

    weights = np.full(frame.shape, np.nan)
    weights[1::WEEK] = 1 / frame.shape[1]

    def run():
        portfolio = vectorbt.Portfolio.from_orders(
            *(frame, weights),
            size_type="targetpercent",
            group_by=True,
            cash_sharing=True,
            call_seq="auto",
            fees=FEE,
            slippage=SLIPPAGE,
            init_cash=CAPITAL,
            freq="1h",
        )
        return float(portfolio.value().iloc[-1]), int(portfolio.orders.count())

    return run


def vectorbt_cross(frame):
    import vectorbt

    close = frame.iloc[:, 0]

    def run():
        fast = close.ewm(span=FAST, adjust=False).mean()
        slow = close.ewm(span=SLOW, adjust=False).mean()
        above = (fast > slow).shift(1, fill_value=False)
        portfolio = vectorbt.Portfolio.from_signals(
            *(close, above & ~above.shift(1, fill_value=False), ~above & above.shift(1, fill_value=False)),
            fees=FEE,
            slippage=SLIPPAGE,
            init_cash=CAPITAL,
            freq="1min",
        )
        return float(portfolio.value().iloc[-1]), int(portfolio.orders.count())

    return run


def numpy_weekly(frame):
    """The least there is to do: a loop of weeks with one matrix product each, no filters, no ledger, no orders."""
    import numpy as np

    closes = frame.to_numpy()

    def run():
        values = np.empty(len(closes))
        held, cash, share = np.zeros(closes.shape[1]), CAPITAL, 1 / closes.shape[1]
        values[0] = CAPITAL
        for row in range(1, len(closes), WEEK):
            prices = closes[row]
            value = cash + held @ prices
            moved = value * share / prices - held
            cost = np.abs(moved) @ prices * (FEE + SLIPPAGE)
            held = (value - cost) * share / prices
            cash = 0.0
            values[row : row + WEEK] = cash + closes[row : row + WEEK] @ held
        return float(values[-1]), 0

    return run


def bt_weekly(frame):
    import bt

    algos = [bt.algos.RunEveryNPeriods(WEEK), bt.algos.SelectAll(), bt.algos.WeighEqually(), bt.algos.Rebalance()]

    def run():
        test = bt.Backtest(
            bt.Strategy("weekly", list(algos)),
            frame,
            initial_capital=CAPITAL,
            commissions=lambda quantity, price: abs(quantity) * price * (FEE + SLIPPAGE),
            integer_positions=False,
            progress_bar=False,
        )
        return float(bt.run(test).prices.iloc[-1, 0]) * CAPITAL / 100, 0

    return run


def backtrader_weekly(frame):
    import backtrader
    import pandas as pd

    class Weekly(backtrader.Strategy):
        def next(self):
            if (len(self) - 1) % WEEK == 0:
                for data in self.datas:
                    self.order_target_percent(data, target=0.99 / len(self.datas))

    def run():
        cerebro = backtrader.Cerebro(stdstats=False)
        for name in frame.columns:
            column = frame[name]
            ohlc = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), column)).assign(volume=1.0)
            cerebro.adddata(backtrader.feeds.PandasData(dataname=ohlc))
        cerebro.addstrategy(Weekly)
        cerebro.broker.setcash(CAPITAL)
        cerebro.broker.setcommission(FEE)
        cerebro.broker.set_slippage_perc(SLIPPAGE)
        cerebro.run()
        return float(cerebro.broker.getvalue()), 0

    return run


def backtesting_cross(frame):
    import pandas as pd
    from backtesting import Backtest, Strategy

    close = frame.iloc[:, 0]
    ohlc = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), close)).assign(Volume=1.0)

    def average(values, span):
        return pd.Series(values).ewm(span=span, adjust=False).mean()

    class Cross(Strategy):
        def init(self):
            self.fast = self.I(average, self.data.Close, FAST)
            self.slow = self.I(average, self.data.Close, SLOW)

        def next(self):
            if self.fast[-1] > self.slow[-1]:
                if not self.position:
                    self.buy(size=0.9999)
            elif self.position:
                self.position.close()

    def run():
        test = Backtest(ohlc, Cross, cash=10_000_000, commission=FEE, spread=SLIPPAGE, finalize_trades=True)
        stats = test.run()
        return float(stats["Equity Final [$]"]) / 1000, 2 * int(stats["# Trades"])

    return run


def numpy_cross(frame):
    """Signals and returns as arrays: no cash, no filters, no orders, no ledger."""
    import numpy as np

    close = frame.iloc[:, 0]

    def run():
        fast, slow = (close.ewm(span=span, adjust=False).mean().to_numpy() for span in (FAST, SLOW))
        held = np.concatenate(([0.0, 0.0], (fast > slow)[:-2])).astype(float)
        returns = np.concatenate(([0.0], np.diff(close.to_numpy()) / close.to_numpy()[:-1]))
        traded = np.abs(np.diff(held, prepend=0.0))
        return float(CAPITAL * np.prod(1 + held * returns - traded * (FEE + SLIPPAGE))), int(traded.sum())

    return run


def accounting(folder):
    """Our fills in vectorbt's books: the greatest difference of all values, as a fraction."""
    import numpy as np
    import vectorbt

    frame, ours = candles("weekly", folder), np.load(f"{folder}/fills.npz")
    portfolio = vectorbt.Portfolio.from_orders(
        *(frame, ours["sizes"]),
        size_type="amount",
        price=np.where(np.isnan(ours["prices"]), frame, ours["prices"]),
        fixed_fees=np.nan_to_num(ours["fees"]),
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        init_cash=CAPITAL,
        freq="1h",
    )
    theirs = portfolio.value().to_numpy()
    print(
        json.dumps(
            {"apart": float(np.max(np.abs(theirs / ours["values"] - 1))), "orders": int(portfolio.orders.count())}
        )
    )


def main(peer, work, folder):
    frame = candles("weekly" if work == "weekly" else "cross", folder)
    run = globals()[f"{peer}_{work}"](frame)
    if peer not in ("backtrader", "bt"):  # nothing of these two is compiled on the first run
        run()
    print(json.dumps({"ready": peer}), flush=True)
    for _ in sys.stdin:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        value, trades = run()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"wall_s": wall_s, "cpu_s": cpu_s, "trades": trades, "value": value, "peak_mib": peak_mib}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    accounting(sys.argv[2]) if sys.argv[1] == "accounting" else main(*sys.argv[1:])
