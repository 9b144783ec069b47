"""What was sent to an exchange and what became of it; when it forgot everything; who stopped trading, and why.

An attempt is one signed request of an order. Beside the constraints below, triggers see to it that one which has ended
never changes, that states change along `core/order_attempts.py` only, that a new attempt follows none but a dead one,
and that every state it was ever in is kept, with instant and reason. The rest is appended and never edited.
"""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from portfolio.core.book import AMOUNT_BOUND as BOUND
from portfolio.core.order_attempts import EXECUTED, LIVE, AttemptState, Refusal
from portfolio.core.orders import Fill, Side

_LIVE = sorted(state.value for state in LIVE)
_EXECUTED = sorted(state.value for state in EXECUTED)
_OF_OURS = ("books", "moved", "unexplained")


def _words(names: type) -> list[tuple[str, str]]:
    return [(name.value, name.value.replace("_", " ")) for name in names]  # type: ignore[attr-defined]


class VenueEpoch(models.Model):
    """A life of the exchange's records: each wipe of the testnet begins another. The newest is now."""

    number = models.PositiveSmallIntegerField(unique=True)
    began_at = models.DateTimeField(help_text="when it was noticed")
    reason = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(number__gt=0, number__lt=1000), name="venue_epoch_number"),
        ]

    def __str__(self) -> str:
        return f"epoch {self.number}"


class OrderAttempt(models.Model):
    """One signed request of an order. `payload` is what was sent or never will be; it holds no key and no signature.

    `epoch` is that in which it was sent, or found. `due_at` is when to look again, or from when another attempt may
    follow. `executed` is in base, `quote_amount` in quote.
    """

    order = models.ForeignKey("portfolio.Order", on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    epoch = models.PositiveSmallIntegerField()
    client_order_id = models.CharField(max_length=36, unique=True)
    claimed_at = models.DateTimeField()
    payload = models.TextField(blank=True)
    timestamp_ms = models.BigIntegerField(null=True)
    recv_window_ms = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=12, choices=_words(AttemptState))
    changed_at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True)
    refusal = models.CharField(max_length=10, choices=_words(Refusal), blank=True)
    due_at = models.DateTimeField(null=True)
    not_found_at = models.DateTimeField(null=True, help_text="when it was first looked for in vain")
    exchange_order_id = models.BigIntegerField(null=True)
    executed = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    quote_amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    deviation_bps = models.DecimalField(max_digits=24, decimal_places=4, null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "number"], name="order_attempt_number_unique"),
            models.UniqueConstraint(fields=["order"], condition=Q(state__in=_LIVE), name="order_attempt_one_is_live"),
            models.CheckConstraint(condition=Q(number__gt=0, epoch__gt=0), name="order_attempt_counts_from_one"),
            models.CheckConstraint(
                condition=Q(state=AttemptState.ABANDONED.value)
                | Q(timestamp_ms__isnull=False, recv_window_ms__isnull=False)
                & Q(timestamp_ms__gt=0, recv_window_ms__gt=0, recv_window_ms__lte=60_000)
                & ~Q(payload=""),
                name="order_attempt_is_written_before_it_is_sent",
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.REFUSED.value) & ~Q(refusal="")
                | ~Q(state=AttemptState.REFUSED.value) & Q(refusal=""),
                name="order_attempt_refused_for_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state=AttemptState.NOT_PLACED.value) | Q(exchange_order_id=None),
                name="order_attempt_not_placed_was_never_there",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=_EXECUTED)
                | Q(exchange_order_id__isnull=False, executed__isnull=False, quote_amount__isnull=False)
                & Q(executed__gt=0, executed__lt=BOUND, quote_amount__gte=0),
                name="order_attempt_executed_something",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="order_attempt_due", condition=Q(state__in=_LIVE))]

    def __str__(self) -> str:
        return f"{self.client_order_id}: {self.state}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class AttemptChange(models.Model):
    """A state an attempt came into. The database writes these itself, in the transaction that changed it."""

    attempt = models.ForeignKey(OrderAttempt, on_delete=models.PROTECT, related_name="changes")
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12, choices=_words(AttemptState))
    at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.before or 'nothing'} -> {self.after}"


class ExchangeTrade(models.Model):
    """A trade of an attempt, as the exchange lists it. `trade_id` begins with the epoch, as in fills."""

    attempt = models.ForeignKey(OrderAttempt, on_delete=models.PROTECT, related_name="trades")
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
            models.UniqueConstraint(fields=["symbol", "trade_id"], name="exchange_trade_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, quantity__lt=BOUND, price__gt=0, price__lt=BOUND),
                name="exchange_trade_moves_something",
            ),
            models.CheckConstraint(
                condition=Q(quote_amount__gte=0, quote_amount__lt=BOUND, fee__gte=0, fee__lt=BOUND),
                name="exchange_trade_amounts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} {self.symbol} at {self.price.normalize():f}"

    def fill(self, order_id: str, side: Side) -> Fill:
        """As a fill of the order with this client order id."""
        return Fill(
            *(self.trade_id, order_id, self.symbol, side, self.quantity, self.price),
            *(self.quote_amount, self.fee, self.fee_asset, self.at),
        )


class TradingHalt(models.Model):
    """The kill switch, thrown or taken back; the newest row is in force, and there is trading without any."""

    at = models.DateTimeField()
    halted = models.BooleanField(help_text="no new order leaves while it is thrown; what is under way is followed up")
    reason = models.CharField(max_length=200, help_text="public")
    who = models.CharField(max_length=150)

    class Meta:
        get_latest_by = "id"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(reason="") & ~Q(who=""), name="trading_halt_by_somebody_for_a_reason")
        ]

    def __str__(self) -> str:
        return "trading halted" if self.halted else "trading allowed"


class Incident(models.Model):
    """Something about orders that somebody has to look at; appended once for each subject and kind."""

    at = models.DateTimeField()
    kind = models.CharField(max_length=30)
    subject = models.CharField(max_length=80)
    sentence = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "subject"], name="incident_told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"


class Reconciliation(models.Model):
    """A look at the account beside what we have on record of it; appended and never edited.

    `lines` tell of each asset what the sub-ledgers hold, what the account holds, by how much our trades moved it in
    this epoch, and what of its movement they do not explain (null where that could not be judged). With a `trouble`
    there was no look: the exchange did not answer. One that found a wipe is the first of its epoch.
    """

    at = models.DateTimeField()
    epoch = models.PositiveSmallIntegerField()
    seconds = models.DecimalField(max_digits=12, decimal_places=3)
    orders = models.PositiveIntegerField(default=0, help_text="orders of ours that were compared")
    under_way = models.PositiveIntegerField(default=0, help_text="orders whose outcome was not known")
    is_still = models.BooleanField(default=False, help_text="nothing of ours moved during the look")
    is_wipe = models.BooleanField(default=False)
    findings_count = models.PositiveIntegerField(default=0)
    findings = models.JSONField(default=list, help_text="the first of them: kind, subject and sentence")
    lines = models.JSONField(default=list)
    requests = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(trouble="") | Q(findings_count=0, orders=0, is_wipe=False, is_still=False),
                name="reconciliation_found_nothing_in_trouble",
            ),
            models.CheckConstraint(condition=Q(epoch__gt=0), name="reconciliation_of_an_epoch"),
        ]
        indexes: ClassVar = [models.Index(fields=["epoch", "id"], name="reconciliation_of_epoch")]

    def __str__(self) -> str:
        return f"reconciliation of {self.at:%Y-%m-%d %H:%M}: {self.trouble or f'{self.findings_count} findings'}"

    @property
    def verdict(self) -> str:
        """What the look came to, in a sentence about the account. `trouble` may quote the exchange."""
        if self.trouble:
            return f"it could not be looked at: {self.trouble}"
        if self.is_wipe:
            return f"it had been wiped. Epoch {self.epoch} began, and the seasons go on from their ledgers."
        compared = f"{self.orders:,} order{'' if self.orders == 1 else 's'} compared in epoch {self.epoch}"
        if self.findings_count:
            return f"{self.differences}, with {compared}."
        doubt = f"; balances not judged, as {self.under_way} were under way" if self.under_way else ""
        return f"it agrees with the record, with {compared}{doubt}."

    @property
    def differences(self) -> str:
        return "one difference" if self.findings_count == 1 else f"{self.findings_count:,} differences"

    @property
    def lines_of_ours(self) -> list[dict[str, str | None]]:
        """The lines about anything but what the exchange gave the account at the start."""
        return [line for line in self.lines if any(Decimal(line[name] or 0) for name in _OF_OURS)]
