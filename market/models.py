"""What the world is: listed symbols, candles, and the snapshots that cycles were decided on."""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Concat

from market.core.candles import TIMEFRAME_S
from market.core.canonical import plain
from market.core.readings import Kind, Reading
from market.core.symbols import Symbol

BOUND = Decimal(10) ** 19  # also keeps NaN out: PostgreSQL sorts it above every number


class ListedSymbol(models.Model):
    """A spot pair with the exchange's filters as they stood on `filters_as_of`.

    A season takes its symbols from here when it opens, and keeps them. What is listed stays listed under its name.
    """

    name = models.CharField(max_length=20, unique=True)
    base = models.CharField(max_length=10)
    quote = models.CharField(max_length=10)
    step = models.DecimalField(max_digits=38, decimal_places=18)
    min_quantity = models.DecimalField(max_digits=38, decimal_places=18)
    max_quantity = models.DecimalField(max_digits=38, decimal_places=18)
    tick = models.DecimalField(max_digits=38, decimal_places=18)
    min_notional = models.DecimalField(max_digits=38, decimal_places=18)
    filters_as_of = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(step__gt=0, tick__gt=0),
                name="listed_symbol_steps_positive",
                violation_error_message="Step and tick must be above 0.",
            ),
            models.CheckConstraint(
                condition=Q(min_quantity__gte=0, min_notional__gte=0),
                name="listed_symbol_minimums",
                violation_error_message="The minimum quantity and the minimum notional cannot be below 0.",
            ),
            models.CheckConstraint(
                condition=Q(max_quantity__gte=F("min_quantity"), max_quantity__lt=BOUND),
                name="listed_symbol_quantity_range",
                violation_error_message="The maximum quantity cannot be below the minimum quantity.",
            ),
            models.CheckConstraint(
                condition=Q(name=Concat("base", "quote")) & Q(name__regex=r"^[A-Z0-9]+$"),
                name="listed_symbol_name_is_its_pair",
                violation_error_message="The name is base and quote in capitals and digits: BTC and USDT make BTCUSDT.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def value(self) -> Symbol:
        """This row as the frozen value the core works with."""
        filters = (self.step, self.min_quantity, self.max_quantity, self.tick, self.min_notional)
        return Symbol(self.name, self.base, self.quote, *(Decimal(plain(number)) for number in filters))


class Candle(models.Model):
    """One closed bar. `open_at` is its key; it is known from `open_at` plus the timeframe on."""

    symbol = models.CharField(max_length=20)
    timeframe = models.CharField(max_length=3, choices=[(name, name) for name in TIMEFRAME_S])
    open_at = models.DateTimeField()
    open = models.DecimalField(max_digits=38, decimal_places=18)
    high = models.DecimalField(max_digits=38, decimal_places=18)
    low = models.DecimalField(max_digits=38, decimal_places=18)
    close = models.DecimalField(max_digits=38, decimal_places=18)
    volume = models.DecimalField(max_digits=38, decimal_places=18)

    pk = models.CompositePrimaryKey("symbol", "timeframe", "open_at")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(low__gt=0, high__lt=BOUND), name="candle_price_positive"),
            models.CheckConstraint(
                condition=Q(high__gte=F("low"))
                & Q(high__gte=F("open"))
                & Q(high__gte=F("close"))
                & Q(low__lte=F("open"))
                & Q(low__lte=F("close")),
                name="candle_high_is_highest_low_is_lowest",
            ),
            models.CheckConstraint(condition=Q(volume__gte=0, volume__lt=BOUND), name="candle_volume_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.open_at:%Y-%m-%d %H:%M}"


class SeriesVersion(models.Model):
    """Names what is stored of one series. The database gives a new one with whatever changes a candle of it.

    It is never used twice, not even after a rollback or a restore: whoever keeps candles elsewhere under a version can
    trust that they are those of that version. Only the trigger writes here.
    """

    symbol = models.CharField(max_length=20)
    timeframe = models.CharField(max_length=3)
    version = models.UUIDField()

    pk = models.CompositePrimaryKey("symbol", "timeframe")

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.version}"


class StoredSnapshot(models.Model):
    """A frozen snapshot; identical content is stored once."""

    sha256 = models.CharField(max_length=64, unique=True)
    as_of = models.DateTimeField()
    source = models.CharField(max_length=20)
    content = models.JSONField()

    def __str__(self) -> str:
        return f"{self.source} at {self.as_of:%Y-%m-%d %H:%M} ({self.sha256[:8]})"


class StoredReading(models.Model):
    """What the exchange's public data said of a symbol, and when that was known here. Appended, never changed.

    `refusal` says why what came could not be used; then `content` is empty.
    """

    symbol = models.CharField(max_length=20)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in Kind])
    known_at = models.DateTimeField()
    content = models.JSONField()
    refusal = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["symbol", "kind", "known_at"], name="reading_once_an_instant"),
            models.CheckConstraint(
                condition=~Q(content={}, refusal="") & (Q(content={}) | Q(refusal="")),
                name="reading_has_content_or_a_refusal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.kind} at {self.known_at:%Y-%m-%d %H:%M:%S}"

    def value(self) -> Reading:
        """This row as the core knows it."""
        return Reading(Kind(self.kind), self.known_at, self.content, self.refusal)


class FollowedSeries(models.Model):
    """A series of candles that is kept current from the exchange, as of the last run that came through."""

    symbol = models.CharField(max_length=20)
    timeframe = models.CharField(max_length=3)
    # Up to here everything the exchange has was asked for and stored.
    complete_until = models.DateTimeField(null=True)
    newest_close = models.DateTimeField(null=True)
    # Spans the exchange has nothing for though asked twice, as pairs of instants; looked for again once an hour.
    holes = models.JSONField(default=list)
    holes_asked_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=300, blank=True)
    followed_at = models.DateTimeField()  # the last run that was told to follow it

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["symbol", "timeframe"], name="followed_series_once"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe}"


class DataSource(models.Model):
    """One of the exchange's data services, and how asking it went: spot or futures."""

    name = models.CharField(max_length=20, unique=True)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)  # the last run that came through
    failures = models.PositiveIntegerField(default=0)  # runs in a row that did not
    trouble = models.CharField(max_length=500, blank=True)
    trouble_at = models.DateTimeField(null=True)
    ask_again_at = models.DateTimeField(null=True)  # not before
    requests = models.PositiveIntegerField(default=0)
    weight_used = models.PositiveIntegerField(default=0)
    weight_limit = models.PositiveIntegerField(default=0)
    clock_offset_ms = models.IntegerField(null=True)
    is_double = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name
