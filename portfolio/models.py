"""What is owned and what was done with it. Facts here are appended, never edited: the database refuses otherwise.

Beside the constraints below, the migrations add triggers: journals, postings, fills and valuations can be neither
updated, deleted nor truncated; each journal sums to zero per asset; an entry's account never falls below zero.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from market.core.canonical import plain
from portfolio.core.book import AMOUNT_BOUND as BOUND
from portfolio.core.book import Account, JournalKind
from portfolio.core.orders import Execution, OrderState, Side
from portfolio.core.orders import Fill as FillValue
from portfolio.core.orders import Order as OrderValue
from portfolio.exchange_models import (  # noqa: F401 - Django looks for models here
    AttemptChange,
    ExchangeTrade,
    Incident,
    OrderAttempt,
    Reconciliation,
    TradingHalt,
    VenueEpoch,
)
from portfolio.found_models import FoundOrder  # noqa: F401 - as above


def choices(names: type) -> list[tuple[str, str]]:
    return [(name.value, name.value) for name in names]  # type: ignore[attr-defined]


class Portfolio(models.Model):
    """The account of one entry. `key` is its name for ever: order ids and hashes are made from it."""

    key = models.CharField(max_length=120, unique=True)
    quote = models.CharField(max_length=10)

    def __str__(self) -> str:
        return self.key


class Journal(models.Model):
    """Postings that happened together. `sequence` has no holes; `hash` covers this journal and all before it."""

    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="journals")
    sequence = models.PositiveIntegerField()
    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=choices(JournalKind))
    at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["portfolio", "sequence"], name="journal_sequence_unique"),
            models.UniqueConstraint(fields=["portfolio", "key"], name="journal_key_unique"),
            models.UniqueConstraint(fields=["id", "portfolio"], name="journal_belongs_to_portfolio"),
            models.CheckConstraint(condition=Q(sequence__gt=0), name="journal_sequence_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id}#{self.sequence} {self.key}"


class Posting(models.Model):
    """One signed amount of one asset, into (+) or out of (-) one account. `portfolio` repeats the journal's."""

    journal = models.ForeignKey(Journal, on_delete=models.PROTECT, related_name="postings")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="postings")
    position = models.PositiveSmallIntegerField()
    account = models.CharField(max_length=10, choices=choices(Account))
    asset = models.CharField(max_length=10)
    amount = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["journal", "position"], name="posting_position_unique"),
            models.CheckConstraint(condition=Q(amount__gt=-BOUND, amount__lt=BOUND), name="posting_amount_bounded"),
            models.CheckConstraint(condition=~Q(amount=0), name="posting_moves_something"),
        ]
        indexes: ClassVar = [models.Index(fields=["portfolio", "account", "asset"], name="posting_fold")]

    def __str__(self) -> str:
        return f"{self.account} {plain(self.amount)} {self.asset}"


class Order(models.Model):
    """An instruction, written before it is sent. Only its end may be added, and only once."""

    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="orders")
    cycle_number = models.PositiveIntegerField()
    client_order_id = models.CharField(max_length=36, unique=True)
    symbol = models.CharField(max_length=20)
    side = models.CharField(max_length=4, choices=choices(Side))
    quantity = models.DecimalField(max_digits=38, decimal_places=18)
    reference_price = models.DecimalField(max_digits=38, decimal_places=18)
    state = models.CharField(max_length=10, choices=choices(OrderState), default=OrderState.NEW.value)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0, quantity__lt=BOUND), name="order_quantity_positive"),
            models.CheckConstraint(
                condition=Q(reference_price__gt=0, reference_price__lt=BOUND), name="order_price_positive"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["portfolio", "cycle_number"], name="order_of_turn")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.symbol} ({self.client_order_id})"

    def value(self) -> OrderValue:
        return OrderValue(self.client_order_id, self.symbol, Side(self.side), self.quantity, self.reference_price)

    def execution(self) -> Execution:
        """What is on record of this order as the value the engine works with; reads its fills."""
        fills = tuple(fill.value() for fill in self.fills.order_by("id"))
        return Execution(self.value(), OrderState(self.state), fills, self.reason)


class Fill(models.Model):
    """What was executed of an order, exactly as the venue said."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    venue = models.CharField(max_length=20)
    symbol = models.CharField(max_length=20)
    trade_id = models.CharField(max_length=60)
    quantity = models.DecimalField(max_digits=38, decimal_places=18)
    price = models.DecimalField(max_digits=38, decimal_places=18)
    quote_amount = models.DecimalField(max_digits=38, decimal_places=18)
    fee = models.DecimalField(max_digits=38, decimal_places=18)
    fee_asset = models.CharField(max_length=10)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["venue", "symbol", "trade_id"], name="fill_trade_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, quantity__lt=BOUND, price__gt=0, price__lt=BOUND),
                name="fill_quantity_and_price_positive",
            ),
            models.CheckConstraint(
                condition=Q(quote_amount__gte=0, quote_amount__lt=BOUND, fee__gte=0, fee__lt=BOUND),
                name="fill_amounts_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} {self.symbol} at {self.price.normalize():f}"

    def value(self) -> FillValue:
        return FillValue(
            self.trade_id,
            self.order.client_order_id,
            self.symbol,
            Side(self.order.side),
            self.quantity,
            self.price,
            self.quote_amount,
            self.fee,
            self.fee_asset,
            self.at,
        )


class ValuationQuerySet(models.QuerySet["Valuation"]):
    def current(self) -> "ValuationQuerySet":
        """Without those that a later revision has taken the place of."""
        newer = Valuation.objects.filter(
            portfolio=models.OuterRef("portfolio"),
            cycle_number=models.OuterRef("cycle_number"),
            revision__gt=models.OuterRef("revision"),
        ).filter(revision__gt=1)  # which the first never is: hardly any row is left to look through
        return self.filter(~models.Exists(newer))


class Valuation(models.Model):
    """A book at prices at an instant: cycle 0 is the start capital. A fill that came late adds another revision."""

    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="valuations")
    cycle_number = models.PositiveIntegerField()
    at = models.DateTimeField()
    value = models.DecimalField(max_digits=38, decimal_places=18)
    revision = models.PositiveSmallIntegerField(default=1)

    objects = ValuationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["portfolio", "cycle_number", "revision"], name="valuation_unique"),
            models.CheckConstraint(condition=Q(value__gte=0, value__lt=BOUND), name="valuation_not_negative"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="valuation_revision_from_one"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["portfolio", "cycle_number"], condition=Q(revision__gt=1), name="valuation_revised"),
        ]

    def __str__(self) -> str:
        return f"{self.value.normalize():f} at {self.at:%Y-%m-%d %H:%M}"
