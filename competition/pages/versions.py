"""The versions of an agent: a changed agent is a new one, and each says what is different and where it took part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.urls import reverse

from agents.models import Agent
from competition.core.states import SeasonState
from competition.models import Entry
from competition.pages.figures import Moment, moment
from competition.pages.frame import Link
from competition.pages.text import line


@dataclass(frozen=True, slots=True)
class Version:
    """`changes` are against the version before it that took part anywhere; `since` is when it first did."""

    number: int
    model: str
    since: Moment | None
    changes: tuple[str, ...]
    seasons: tuple[Link, ...]
    is_this: bool


def versions_of(agent: Agent) -> tuple[Version, ...]:
    """Every version of this agent that took part in a public season, newest first: one query."""
    rows = (
        Entry.objects.filter(agent__slug=agent.slug)
        .exclude(season__state=SeasonState.DRAFT.value)
        .select_related("agent", "season")
        .order_by("agent__version", "season__opened_at")
    )
    return tuple(reversed(list(_versions(rows, agent))))


def _versions(rows: Any, this: Agent) -> Iterator[Version]:
    before: Agent | None = None
    for agent, group in groupby(rows, key=lambda entry: entry.agent):
        entries: Sequence[Entry] = list(group)
        first = entries[0].season.opened_at
        yield Version(
            number=agent.version,
            model=line(agent.model),
            since=moment(first) if first else None,
            changes=tuple(_changes(before, agent)) if before else (),
            seasons=tuple(
                Link(reverse("entry", args=[entry.season.slug, entry.slug]), line(entry.season.name))
                for entry in entries
            ),
            is_this=agent == this,
        )
        before = agent


def _changes(before: Agent, after: Agent) -> Iterator[str]:
    """What is different, in a few words each: `model: a → b`."""
    old, new = _content(before), _content(after)
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            yield f"{line(name.replace('_', ' '))}: {_text(old, name)} → {_text(new, name)}"


def _content(agent: Agent) -> dict[str, Any]:
    return {"name": agent.name, "kind": agent.kind, "model": agent.model, **agent.parameters}


def _text(content: Mapping[str, Any], name: str) -> str:
    return line(str(content[name])) if name in content else "not set"
