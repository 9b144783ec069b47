"""Whether an agent looks ahead: play it again with the future replaced by nonsense, and see what changes."""

import random
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from competition.management.backtest_flags import add_wish_flags, told_with_flags, wish_from
from competition.services.backtest_costs import is_asked
from competition.services.backtest_lookahead import check_agent, player_to_check
from competition.services.backtest_requests import BacktestRefused, parameters_from


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Says whether an agent sees candles before they have closed, by replacing the future and playing again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_wish_flags(parser)
        parser.add_argument("--times", type=int, default=10, help="instants from which on the future is replaced")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["times"] < 1:
            raise CommandError("--times: at least one instant is needed.")
        dice = random.Random(options["seed"])  # noqa: S311 - which instants, not a secret
        cheats = []
        try:
            parameters = parameters_from(wish_from(options))
            for spec in parameters.agents:
                with tqdm(total=options["times"], unit="future", disable=None, leave=False) as bar:
                    found = check_agent(
                        parameters,
                        spec.slug,
                        lambda spec=spec: player_to_check(spec),
                        dice,
                        options["times"],
                        lambda bar=bar: bar.update() and None,
                    )
                found = replace(found, is_asked=is_asked(spec.model))
                self.stdout.write(f"{spec.slug}: {found.verdict}")
                cheats += [] if found.is_clean else [spec.slug]
        except BacktestRefused as refused:
            raise CommandError(told_with_flags(refused.problems)) from None
        if cheats:
            raise CommandError(f"{', '.join(cheats)} cannot be believed: decisions depend on candles not yet closed.")
