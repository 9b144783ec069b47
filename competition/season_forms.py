"""What an operator may say of a season and of its entries, checked by the same rules that play it."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from pydantic import ValidationError as RulesInvalid

from agents.core.rule_parameters import too_little_shown
from agents.models import Agent
from competition.core.rule_problems import rule_problems
from competition.core.rules import Rules
from competition.core.states import SeasonState
from competition.models import Entry, Season
from market.core.symbols import UnknownSymbol
from market.queries import listed_symbols


def rules_text(document: Mapping[str, Any]) -> str:
    """A rules document as text, in the order in which the rules are declared; the database keeps none."""
    known = {name: document[name] for name in Rules.model_fields if name in document}
    return json.dumps({**known, **document}, indent=2)


class SeasonForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """A draft. `rules` is the whole document as JSON text; what is stored is its normal form."""

    rules = forms.CharField(
        widget=AdminTextareaWidget(attrs={"rows": 40, "spellcheck": "false"}),
        help_text="All rules as one JSON document; what is left out gets its default. Frozen when the season opens.",
    )

    class Meta:
        model = Season
        fields: ClassVar = ("name", "slug", "rules")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.initial.get("rules"), dict):
            self.initial["rules"] = rules_text(self.initial["rules"])

    def clean_rules(self) -> dict[str, Any]:
        try:
            rules = Rules.model_validate_json(self.cleaned_data["rules"])
            listed_symbols(rules.universe)
        except RulesInvalid as invalid:
            raise forms.ValidationError(rule_problems(invalid)) from None
        except UnknownSymbol as unknown:
            raise forms.ValidationError(f"universe: {unknown}") from None
        entered = self.instance.entries.exclude(portfolio__quote=rules.quote) if self.instance.pk else ()
        if names := ", ".join(entry.slug for entry in entered):
            raise forms.ValidationError(f"quote: {names} entered with portfolios in another asset")
        return rules.document()


class EntryForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """An agent for a draft."""

    class Meta:
        model = Entry
        fields: ClassVar = ("season", "agent")

    def clean_season(self) -> Season:
        """The season under its row lock, so that nobody opens it before the entry is in."""
        chosen: Season = self.cleaned_data["season"]
        season = Season.objects.select_for_update().get(pk=chosen.pk)
        if season.state != SeasonState.DRAFT:
            raise forms.ValidationError(f"{season} is {season.state}: entries are taken only while it is a draft.")
        return season

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        season: Season | None = cleaned.get("season")
        agent: Agent | None = cleaned.get("agent")
        if season and agent and season.entries.filter(slug=agent.slug).exists():
            self.add_error("agent", f"{agent.slug} is in this season already; each agent enters once.")
        if agent and (problem := too_little_shown(agent.model, agent.parameters)):
            self.add_error("agent", problem)
        return cleaned
