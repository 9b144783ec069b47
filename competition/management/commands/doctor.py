"""Look at everything a season needs, and say what to do about what is not in order."""

from argparse import ArgumentParser
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents import checkup
from agents.budget import caps_of
from agents.models import Agent
from agents.runner_client import address_for
from competition.services import checks
from competition.services.checks import Check


class Command(BaseCommand):
    help = "One line per check, with what to do where it fails; exits with 1 when any does. No key is ever shown."
    requires_system_checks = ()  # it looks also where others would not start

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agent", metavar="SLUG", help="look at this agent only; default: the newest of each")
        parser.add_argument("--call", action="store_true", help="put one cheap question to each model, and pay for it")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = total = 0
        for check in _checks(options["agent"], call=options["call"]):
            total, failed = total + 1, failed + (not check.ok)
            self.stdout.write(f"{'ok' if check.ok else 'NO':<4}{check.what:<36}{check.told}")
        if failed:
            raise CommandError(f"{failed} of {total} checks failed.")


def _checks(slug: str | None, *, call: bool) -> Iterator[Check]:
    database = checks.database_checks(timezone.now)
    yield from database
    yield checks.redis_check(settings.REDIS_URL)
    yield checks.broker_check()
    if not all(check.ok for check in database[:2]):
        return  # agents and seasons are rows
    yield from checks.market_checks(timezone.now())
    try:
        agents = checks.agents_to_check(slug)
    except Agent.DoesNotExist:
        raise CommandError(f"There is no agent {slug!r}.") from None
    ask, caps = checkup.ask_runner, caps_of(settings)
    address_of = partial(address_for, usual=settings.RUNNER_URL, others=settings.RUNNER_URLS)
    yield from checks.agent_checks(agents, address_of, ask, caps, timezone.now(), call=call)
