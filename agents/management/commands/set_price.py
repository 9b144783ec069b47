"""State the price of a model by hand: for one that no price map knows, or where a contract says otherwise."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.models import Price
from agents.prices import PriceRefused, Quote, add_price
from market.core.canonical import plain

# What the command line calls a part of a price.
FLAGS = {"model": "MODEL", "valid_from": "--from", "source": "--source"}


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Adds a row to the price list. Amounts are USD per million tokens; a model that is free costs 0."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL", help="as openai/gpt-5")
        parser.add_argument("--prompt", required=True, metavar="USD")
        parser.add_argument("--completion", required=True, metavar="USD", help="what it says, its reasoning included")
        parser.add_argument("--cached", metavar="USD", help="prompt tokens read from a cache; default: as --prompt")
        parser.add_argument(
            "--from", dest="valid_from", metavar="DATE", help="as 2026-01-31, from 00:00 UTC; default: now"
        )
        parser.add_argument("--schema", action="store_true", help="the model keeps to a JSON schema it is given")
        parser.add_argument("--source", default="an operator", help="who says so; default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        cached = _amount("--cached", options["cached"]) if options["cached"] is not None else None
        quote = Quote(
            _amount("--prompt", options["prompt"]),
            _amount("--completion", options["completion"]),
            cached,
            options["schema"],
        )
        valid_from = _start(options["valid_from"]) if options["valid_from"] else timezone.now()
        try:
            price = add_price(options["model"], quote, valid_from, options["source"])
        except PriceRefused as refused:
            raise CommandError(_with_flag(refused)) from None
        self.stdout.write(_told(price))


def _with_flag(refused: PriceRefused) -> str:
    flag = FLAGS.get(refused.field)
    return f"{flag}: {refused}" if flag else str(refused)


def _amount(option: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{option} {text}: write an amount in USD, as 2.50.") from None


def _start(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CommandError(f"--from {text}: write a date, as 2026-01-31.") from None


def _told(price: Price) -> str:
    prompt, completion, cached = (
        plain(amount) for amount in (price.prompt_usd, price.completion_usd, price.cached_usd)
    )
    return (
        f"{price.model} costs {prompt} (prompt), {completion} (completion), {cached} (cached prompt) USD per million "
        f"tokens from {price.valid_from:%Y-%m-%d %H:%M} UTC."
    )
