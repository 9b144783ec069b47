"""Prints a composition with one runner per agent, each with its own key on its own network."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.core.budgeting import makes_calls_of_ours
from agents.core.compose_text import RunnerPart, compose_text
from agents.core.parameters import AgentParameters
from agents.core.providers import UnknownProvider, host_name, key_variables
from agents.models import SIMULATED_PREFIXES, Agent, AgentKind

UNFINISHED = ("draft", "open")


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Prints an addition to compose.yaml: a runner for every agent that asks a model."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", default="runners.yaml", help="what the text calls the file it is going to be")

    def handle(self, *args: Any, **options: Any) -> None:
        versions = agents_by_slug()
        hosts = Counter(map(host_name, versions))
        if twice := [slug for slug in versions if hosts[host_name(slug)] > 1]:
            raise CommandError(f"These agents would be one host: {', '.join(twice)}. Rename all but one.")
        ours = {slug: agents for slug, agents in versions.items() if makes_calls_of_ours(agents[0].model)}
        parts, unknown = [], []
        for slug, agents in ours.items():
            try:
                parts.append(part_of(slug, agents))
            except UnknownProvider as error:
                unknown.append(f"{slug}: {error}")
        if unknown:
            raise CommandError("\n".join(unknown))
        strangers = [slug for slug in versions if slug not in ours]
        self.stdout.write(compose_text(parts, strangers, options["file"]), ending="")


def agents_by_slug() -> dict[str, list[Agent]]:
    """Of every agent that is asked through a runner the newest version, and those that still take part in a season."""
    found: dict[str, list[Agent]] = {}
    asked = Agent.objects.exclude(kind=AgentKind.BASELINE)
    playing = set(asked.filter(entries__season__state__in=UNFINISHED).values_list("id", flat=True))
    for agent in asked.order_by("slug", "-version"):
        versions = found.setdefault(agent.slug, [])
        if not versions or agent.id in playing:
            versions.append(agent)
    return found


def part_of(slug: str, versions: Iterable[Agent]) -> RunnerPart:
    """What one runner needs to answer for these versions. Raises `UnknownProvider`."""
    models, has_api_base = [], False
    for agent in versions:
        parameters = AgentParameters.model_validate(agent.parameters)
        models += [agent.model, *filter(None, [parameters.analyst_model])]
        has_api_base = has_api_base or parameters.api_base is not None
    leads_out = not all(model.startswith(SIMULATED_PREFIXES) for model in models)
    return RunnerPart(slug, key_variables(models), has_api_base, leads_out)
