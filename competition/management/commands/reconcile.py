"""Compare the account on the exchange with our record of it, and say what does not agree. Changes nothing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from competition.services.reconciling import reconcile_account
from competition.services.venue_account import NoAccount
from market.core.hosts import ForbiddenHost
from portfolio.models import Reconciliation

HEADINGS = ("asset", "sub-ledgers", "account", "our trades", "unexplained")


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Compares the testnet account and its orders with our ledgers; exits with 1 when anything disagrees."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = reconcile_account(timezone.now)
        except (NoAccount, ForbiddenHost) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(_json(found) if options["json"] else _text(found))
        if found.trouble:
            raise CommandError(found.trouble)
        if found.findings_count:
            raise CommandError(f"{found.findings_count} findings. Nothing was changed.")


def _text(found: Reconciliation) -> str:
    rows = [HEADINGS, *(_cells(line) for line in found.lines_of_ours)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADINGS))]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    told = [f"{kind} {subject}: {sentence}" for kind, subject, sentence in found.findings]
    if found.findings_count > len(told):
        told.append(f"and {found.findings_count - len(told)} more")
    return "\n".join([*(table if found.lines else []), *told, *_notes(found)])


def _cells(line: dict[str, Any]) -> tuple[Any, ...]:
    unexplained = "not judged" if line["unexplained"] is None else line["unexplained"]
    return (line["asset"], line["books"], line["account"], line["moved"], unexplained)


def _notes(found: Reconciliation) -> list[str]:
    if found.trouble:
        return []
    notes = [f"{found.orders} orders compared in epoch {found.epoch}, {found.requests} requests, {found.seconds} s."]
    if found.is_wipe:
        notes.append("The exchange has been wiped: a new epoch begins, and the seasons go on from their ledgers.")
    if found.under_way:
        notes.append(f"{found.under_way} orders are under way, so balances are not judged.")
    return notes


def _json(found: Reconciliation) -> str:
    told = {
        "at": found.at.isoformat(),
        "seconds": float(found.seconds),
        "epoch": found.epoch,
        "is_wipe": found.is_wipe,
        "orders": found.orders,
        "under_way": found.under_way,
        "requests": found.requests,
        "findings_count": found.findings_count,
        "findings": [dict(zip(("kind", "subject", "sentence"), one, strict=True)) for one in found.findings],
        "assets": found.lines,
        "trouble": found.trouble or None,
    }
    return json.dumps(told, indent=2)
