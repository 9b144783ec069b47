"""What the exchange had carried out when the record was put back to an earlier state; appended and never edited."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Concat

from portfolio.core.book import AMOUNT_BOUND as BOUND
from portfolio.core.order_attempts import AttemptState
from portfolio.core.orders import Fill, Side
from portfolio.exchange_models import OrderAttempt

CORRECTION_PREFIX = "found:"


class FoundOrderQuerySet(models.QuerySet["FoundOrder"]):
    def taken_up(self) -> "FoundOrderQuerySet":
        """Those that are an attempt of their turn; one that was given up only bears the name."""
        attempts = OrderAttempt.objects.filter(client_order_id=OuterRef("client_order_id"))
        return self.filter(Exists(attempts.exclude(state=AttemptState.ABANDONED.value)))

    def booked(self) -> "FoundOrderQuerySet":
        """Those that are a correction in the ledger."""
        key = Concat(Value(CORRECTION_PREFIX), OuterRef("client_order_id"))
        journals = apps.get_model("portfolio", "Journal").objects.filter(portfolio=OuterRef("portfolio"), key=key)
        return self.filter(Exists(journals))

    def waiting(self) -> "FoundOrderQuerySet":
        """Those that have come to nothing yet."""
        ended = self.taken_up() | self.booked()
        return self.exclude(id__in=ended.values("id"))


class FoundOrder(models.Model):
    """An order of ours that the exchange carried out and our record had lost, when it was put back to an earlier state.

    One that `goes_on` is taken up by its turn as an attempt, if that gets to it; any other is booked as a correction.
    """

    portfolio = models.ForeignKey("portfolio.Portfolio", on_delete=models.PROTECT, related_name="found_orders")
    cycle_number = models.PositiveIntegerField()
    order_id = models.CharField(max_length=36)
    client_order_id = models.CharField(max_length=36, unique=True)
    symbol = models.CharField(max_length=20)
    side = models.CharField(max_length=4, choices=[(side.value, side.value) for side in Side])
    epoch = models.PositiveSmallIntegerField()
    exchange_order_id = models.BigIntegerField()
    quantity = models.DecimalField(max_digits=38, decimal_places=18)
    executed = models.DecimalField(max_digits=38, decimal_places=18)
    quote_amount = models.DecimalField(max_digits=38, decimal_places=18)
    trades = models.JSONField(help_text="as the exchange listed them: trade id, amounts as decimal strings, instant")
    goes_on = models.BooleanField(help_text="its decision is on record, so that its turn takes it up")
    found_at = models.DateTimeField()

    objects = FoundOrderQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(executed__gt=0, executed__lte=F("quantity"), quantity__lt=BOUND),
                name="found_order_executed",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["portfolio", "cycle_number"], name="found_order_of_week")]

    def __str__(self) -> str:
        return f"{self.client_order_id}: {self.executed.normalize():f} {self.symbol}"

    @property
    def correction_key(self) -> str:
        """Of the journal that books it."""
        return f"{CORRECTION_PREFIX}{self.client_order_id}"

    def fills(self) -> tuple[Fill, ...]:
        """Its trades as fills of its order."""
        return tuple(
            Fill(
                trade_id=one["trade_id"],
                client_order_id=self.order_id,
                symbol=self.symbol,
                side=Side(self.side),
                quantity=Decimal(one["quantity"]),
                price=Decimal(one["price"]),
                quote_amount=Decimal(one["quote_amount"]),
                fee=Decimal(one["fee"]),
                fee_asset=one["fee_asset"],
                at=datetime.fromisoformat(one["at"]),
            )
            for one in self.trades
        )
