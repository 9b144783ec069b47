"""An executor for a process of its own, which carries one cycle on and can be told where to kill itself, with SIGKILL.

Its clock is ahead by as much as it is told; the exchange's is the real one, so requests are stamped with real instants.
"""

import logging
import os
import signal
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import tests.conftest  # noqa: F401 - settings, in a process that has none yet

# isort: split
from django.db import connection
from django.utils import timezone

from competition.core.states import CycleState
from competition.services import ticking, trading
from portfolio import attempts, services
from portfolio.exchange_models import ExchangeTrade
from portfolio.testnet import Keys, Testnet
from tests.venue.exchange import KEY, SECRET

ORDER = 2  # the second order of the cycle; the first shows afterwards that the exchange was not wiped


def clock_ahead(minutes: float) -> Callable[[], datetime]:
    return lambda: timezone.now() + timedelta(minutes=minutes)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, function: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
    """`function`, whose call of this number is the last thing that happens here."""
    calls = 0

    def counted(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and not after:
            die()
        result = function(*args, **named)
        if calls == number:
            die()
        return result

    return counted


def arm(point: str) -> None:
    """Put a charge at a point of the way of an order."""
    places: dict[str, tuple[Any, str, bool, int]] = {
        "before the write": (attempts, "claim", False, ORDER),
        "after the write": (attempts, "claim", True, ORDER),
        "before sending": (Testnet, "send", False, ORDER),
        "after the answer": (Testnet, "send", True, ORDER),
        "between fills": (type(ExchangeTrade.objects), "bulk_create", False, ORDER),
        "before the order ends": (services, "record_execution", False, ORDER),
        "after the order ended": (services, "record_execution", True, ORDER),
        "before settling": (trading, "settle", False, 1),
        "after settling": (trading, "settle", True, 1),
    }
    if point in places:
        place, name, after, number = places[point]
        setattr(place, name, at_call(number, getattr(place, name), after=after))


def carry_on(database: str, cycle_id: int, url: str, point: str, minutes: Sequence[float]) -> None:
    """A step of the cycle after each of so many minutes by our clock, until it has closed."""
    connection.settings_dict["NAME"] = database
    logging.disable(logging.CRITICAL)
    arm(point)
    for later in minutes:
        state = ticking.advance(cycle_id, clock_ahead(later), lambda: Testnet(Keys(KEY, SECRET), url))
        if state == CycleState.CLOSED:
            return
