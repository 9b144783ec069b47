"""What the status page tells of orders at the exchange: whether they are stopped, what is open, what went wrong."""

from dataclasses import dataclass
from datetime import datetime

from competition.pages.figures import Moment, moment, relative
from competition.pages.text import line
from portfolio.attempts import standing_halt
from portfolio.core.order_attempts import LIVE
from portfolio.exchange_models import Incident, OrderAttempt, TradingHalt

INCIDENTS_MAX = 10


@dataclass(frozen=True, slots=True)
class OrdersStatus:
    """`halt` says since when, by whom and why trading is stopped; empty when it is not. `open` counts requests."""

    halt: str
    open: int
    incidents: tuple[tuple[Moment, str], ...]

    @property
    def trouble(self) -> str:
        return self.halt


def orders_status(now: datetime) -> OrdersStatus:
    """The kill switch, open requests and the last incidents: three queries."""
    thrown = standing_halt()
    rows = Incident.objects.order_by("-id")[:INCIDENTS_MAX]
    return OrdersStatus(
        halt=_told(thrown, now) if thrown else "",
        open=OrderAttempt.objects.filter(state__in=LIVE).count(),
        incidents=tuple((moment(row.at), line(f"{row.subject}: {row.sentence}")) for row in rows),
    )


def _told(thrown: TradingHalt, now: datetime) -> str:
    return f"Trading was halted by {line(thrown.who)} {relative(thrown.at, now)}: {line(thrown.reason)}"
