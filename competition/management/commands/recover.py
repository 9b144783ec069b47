"""After a backup was put back: take over what the exchange has carried out since, at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from competition.services.recovering import recover_account
from competition.services.venue_account import NoAccount
from market.core.answers import ExchangeError
from market.core.hosts import ForbiddenHost
from portfolio.venue_session import NoSession


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Lists what the exchange has carried out for us and our record lacks, because a backup was put back, and keeps "
        "it: as a correction in the ledger, or for its turn to go on with. Sends nothing. Cycles do so themselves."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = recover_account(timezone.now)
        except (NoAccount, ForbiddenHost, ExchangeError) as error:
            raise CommandError(str(error)) from None
        except NoSession as why:
            raise CommandError(f"Nothing was kept: {why}. Run it again later.") from None
        for one in found:
            self.stdout.write(f"{one.client_order_id}: {one.side} {one.executed.normalize():f} {one.symbol}")
        kept = f"{len(found)} orders were missing from the record. What belongs to no turn any more is booked."
        self.stdout.write(kept if found else "Nothing is missing.")
