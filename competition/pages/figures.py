"""Numbers and instants as a page shows them. Decimals and aware datetimes in, finished text out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from market.core.canonical import utc_text

MINUS = "−"
NOTHING = "–"
_UNITS = ((86_400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes"), (1, "second", "seconds"))


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as text, and whether it is a gain (`up`), a loss (`down`) or neither (`flat`)."""

    text: str
    sign: str = "flat"


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant for a `<time>` element: `iso` for machines, `text` for people, in UTC."""

    iso: str
    text: str


def money(amount: Decimal, places: int = 2) -> str:
    """An amount with thousands separated: 12,345.60."""
    return _typographic(f"{amount:,.{places}f}")


def percent(fraction: Decimal, places: int = 1) -> str:
    """A fraction in percent without a plus: 0.123 is 12.3%."""
    return _typographic(f"{fraction * 100:,.{places}f}") + "%"


def signed_percent(fraction: Decimal, places: int = 1) -> Figure:
    """A gain or loss in percent, always with its sign: +12.3%."""
    return _signed(fraction * 100, places, "%")


def points(fraction: Decimal, places: int = 1) -> Figure:
    """A difference between two returns, in percentage points."""
    return _signed(fraction * 100, places, "")


def basis_points(price: Decimal, reference_price: Decimal, *, buying: bool) -> str:
    """How much worse than the reference a price was for the trader, in hundredths of a percent."""
    worse = price - reference_price if buying else reference_price - price
    return _typographic(f"{worse / reference_price * 10_000:.1f}") + " bp"


def quantity(amount: Decimal) -> str:
    """An amount of an asset with every digit it has."""
    text = f"{amount:,f}"
    return _typographic(text.rstrip("0").rstrip(".") if "." in text else text)


def price(amount: Decimal) -> str:
    """A price with the digits that matter: two decimals from 100 on, six significant ones below."""
    return money(amount) if amount >= 100 else quantity(Decimal(f"{amount:.6g}"))


@lru_cache(maxsize=4096)  # the same instants stand on page after page
def moment(at: datetime) -> Moment:
    """Minutes for the eye, seconds only where there are any."""
    at = at.astimezone(UTC).replace(microsecond=0)
    return Moment(utc_text(at), f"{at:%-d %b %Y, %H:%M:%S}" if at.second else f"{at:%-d %b %Y, %H:%M}")


def duration(length: timedelta) -> str:
    """A length of time, rounded, in the largest unit of which it has two: 3 days, 90 minutes, 1 second."""
    seconds = max(0, round(length.total_seconds()))
    fitting = (unit for unit in _UNITS if seconds >= 2 * unit[0] or seconds == unit[0])
    size, one, many = next(fitting, _UNITS[-1])
    count = round(seconds / size)
    return f"{count:,} {one if count == 1 else many}"


def exact_duration(seconds: int) -> str:
    """A length of time without rounding, in one unit: 604,800 is 7 days, 5,400 is 90 minutes."""
    size, one, many = next(unit for unit in _UNITS if seconds % unit[0] == 0)
    count = seconds // size
    return f"{count:,} {one if count == 1 else many}"


def every(seconds: int) -> str:
    """A pace: `every minute`, `every 7 days`."""
    return f"every {exact_duration(seconds).removeprefix('1 ')}"


def relative(at: datetime, now: datetime) -> str:
    """`in 3 days`, `2 minutes ago`, `now`."""
    if abs(at - now) < timedelta(seconds=1):
        return "now"
    return f"in {duration(at - now)}" if at > now else f"{duration(now - at)} ago"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def listed(names: list[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def _signed(number: Decimal, places: int, unit: str) -> Figure:
    text = f"{number:+,.{places}f}"
    if not any(digit in text for digit in "123456789"):
        return Figure(text[1:] + unit)
    return Figure(_typographic(text) + unit, "up" if number > 0 else "down")


def _typographic(text: str) -> str:
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        return text[1:]
    return text.replace("-", MINUS)
