"""A line to the hostile exchange that counts what befell whoever speaks through it."""

from collections.abc import Callable

from market.core.answers import ExchangeError
from portfolio.core.order_attempts import CLOCKS_APART_MS_MAX
from portfolio.core.venue_answers import Outcome, Wait
from portfolio.core.venue_fills import VenueTrade
from tests.schedules.hostile import HostileConnection, HostileExchange


class CountingConnection(HostileConnection):
    """Told of by `count`: what was not answered, what lags, what wants to be left alone, and clocks that are off."""

    def __init__(self, exchange: HostileExchange, seam: Callable[[str], None], count: Callable[[str], None]) -> None:
        super().__init__(exchange, seam)
        self._count = count

    def _read[T](self, what: str, read: Callable[[], T]) -> T:
        try:
            return super()._read(what, read)
        except ExchangeError:
            self._count("read-failed")
            raise

    def sync(self) -> int:
        uncertain_ms = super().sync()
        if abs(self.offset_ms) > CLOCKS_APART_MS_MAX:
            self._count("clock-off")
        return uncertain_ms

    def send(self, payload: str, client_order_id: str) -> Outcome:
        outcome = super().send(payload, client_order_id)
        if isinstance(outcome, Wait):
            self._count("limited")
        return outcome

    def trades(self, symbol: str, order_id: int) -> tuple[VenueTrade, ...]:
        listed = super().trades(symbol, order_id)
        known = [order for order in self._exchange.known(symbol) if order.order_id == order_id]
        if known and len(listed) < len(known[0].trades):
            self._count("trades-lag")
        return listed
