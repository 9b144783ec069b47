"""Compute the record again from its parts, and say what does not add up."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from competition.core.findings import WORDS, Invariant
from competition.models import Audit, Season
from competition.services import auditing


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Audits every season that has opened, or one; exits with 1 when anything is wrong. The result is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--season", metavar="SLUG", default="", help="this season only; default: all")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = auditing.audit(timezone.now, options["season"])
        except Season.DoesNotExist:
            slugs = ", ".join(Season.objects.order_by("id").values_list("slug", flat=True)) or "none"
            raise CommandError(f"There is no season {options['season']!r}. There are: {slugs}.") from None
        self.stdout.write(_json(found) if options["json"] else _text(found))
        if found.findings_count:
            raise CommandError(f"{found.findings_count} findings.")


def _text(found: Audit) -> str:
    lines = [f"{found.counts[name]:>5}  {name:<4}{WORDS[Invariant(name)]}" for name in found.counts]
    lines += [f"{one['invariant']} {one['subject']}: {one['sentence']}" for one in found.findings if not one["known"]]
    told = sum(not one["known"] for one in found.findings)
    if found.findings_count > told:
        lines.append(f"and {found.findings_count - told} more")
    lines += [f"known: {one['subject']}: {one['sentence']}" for one in found.findings if one["known"]]
    lines.append(f"{found.findings_count} findings in {found.seconds} s.")
    return "\n".join(lines)


def _json(found: Audit) -> str:
    told = {
        "at": found.at.isoformat(),
        "seconds": float(found.seconds),
        "season": found.season or None,
        "findings_count": found.findings_count,
        "known_count": found.known_count,
        "counts": found.counts,
        "findings": found.findings,
        "seals": found.seals,
    }
    return json.dumps(told, indent=2)
