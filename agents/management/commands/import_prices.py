"""Read the prices of all models that agents ask from the price map that litellm brings along. No network."""

from argparse import ArgumentParser
from importlib.metadata import version
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from agents.models import Agent
from agents.prices import SIMULATED, Imported, PriceRefused, import_prices, models_asked
from market.core.canonical import plain

HEAD = f"{'model':<44}{'prompt':>12}{'completion':>12}{'cached':>12}  "


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Adds to the price list what litellm's own price map says of the models that agents ask, in USD per million "
        "tokens. A row is added only where the price differs from the one that is valid now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", nargs="*", metavar="MODEL", help="as openai/gpt-5; default: those of all agents")

    def handle(self, *args: Any, **options: Any) -> None:
        from agents.llm import facts_of  # takes seconds to import, so only whoever needs it does

        try:
            models = list(dict.fromkeys(options["models"])) or _of_all_agents()
            source = f"litellm {version('litellm')}, its own price map"
            with transaction.atomic():
                imported = import_prices(models, facts_of, source, timezone.now())
        except PriceRefused as refused:
            raise CommandError(f"{refused}\nNothing was added.") from None
        self.stdout.write(HEAD)
        for row in imported:
            self.stdout.write(_line(row))
        if unknown := [row.model for row in imported if row.price is None]:
            raise CommandError(f"Not in the map: {', '.join(unknown)}. Set their prices with manage.py set_price.")


def _of_all_agents() -> list[str]:
    try:
        models = models_asked(Agent.objects.order_by("slug", "version"))
    except ValidationError as error:
        raise CommandError(f"An agent's parameters cannot be read: {error}") from None
    # What is simulated has no price anywhere; its made-up one was there from the start.
    return [model for model in models if not model.startswith(SIMULATED)]


def _line(row: Imported) -> str:
    price = row.price
    if price is None:
        return f"{row.model:<44}{'?':>12}{'?':>12}{'?':>12}  unknown"
    amounts = "".join(f"{plain(amount):>12}" for amount in (price.prompt_usd, price.completion_usd, price.cached_usd))
    return f"{row.model:<44}{amounts}  {'new' if row.is_new else 'as before'}"
