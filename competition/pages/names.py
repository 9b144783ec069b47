"""How contestants are called on pages, and what is said about what they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from agents.core.baselines import BASELINES
from agents.core.offline import OFFLINE_MODELS
from agents.core.offline_desk import DESK_MODEL
from agents.core.rule_parameters import RULE_PARAMETERS
from agents.models import SIMULATED_PREFIXES, Agent, AgentKind
from competition.models import Entry, Season
from competition.pages.text import line
from portfolio.prepared import Given, Prepared

HOUSE = "house"
RESELLERS = frozenset({"openrouter"})  # who passes on the models of others: the vendor is the next part
KIND_WORDS: Mapping[str, str] = {AgentKind.SINGLE: "model", AgentKind.FIRM: "firm", AgentKind.BASELINE: "baseline"}


_CONTESTANTS = Prepared(
    lambda: (
        Entry.objects.filter(season=Given("season"))
        .order_by("number")
        .values_list("id", "slug", "portfolio_id", "agent__model", "agent__name", "agent__kind")
    )
)


@dataclass(frozen=True, slots=True)
class EntryName:
    """An entry wherever it is listed. `kind` is a word; a simulated one is labelled so everywhere.

    `vendor` is who makes its model, as its model string says.
    """

    slug: str
    name: str
    kind: str
    is_simulated: bool
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part in a season, as far as pages that list everybody need it. `model` is its model string."""

    id: int
    slug: str
    portfolio_id: int
    model: str
    name: EntryName


def contestants_of(season: Season) -> list[Contestant]:
    """Everyone in the season, by number: one query, and no model of a row."""
    return [
        Contestant(pk, slug, portfolio_id, model, entry_name(slug, name, kind, model))
        for pk, slug, portfolio_id, model, name, kind in _CONTESTANTS.rows(season=season.id)
    ]


def entries_of(season: Season) -> list[Entry]:
    """Everyone in the season with agent, by number: one query."""
    return list(season.entries.select_related("agent").order_by("number"))


def name_of(entry: Entry) -> EntryName:
    """The entry as lists show it; its agent must be loaded."""
    agent = entry.agent
    return entry_name(entry.slug, agent.name, agent.kind, agent.model)


def entry_name(slug: str, name: str, kind: str, model: str) -> EntryName:
    """The same out of what stands in the rows of an entry and its agent."""
    return EntryName(slug, line(name), KIND_WORDS[kind], model.startswith(SIMULATED_PREFIXES), vendor_of(model))


@lru_cache(maxsize=1024)
def vendor_of(model: str) -> str:
    """Who makes the model of this string: `openrouter/deepseek/chat` is from deepseek, `openai/gpt` from openai."""
    parts = [line(part) for part in model.split("/")]
    if parts[0] == "baseline":
        return HOUSE
    return parts[1] if parts[0] in RESELLERS and len(parts) > 2 else parts[0]


def names_by_slug(entries: Iterable[Contestant]) -> dict[str, EntryName]:
    return {entry.slug: entry.name for entry in entries}


def spoken(name: EntryName) -> str:
    """The name inside a sentence: in quotation marks when its own punctuation would tear the sentence apart."""
    return f"“{name.name}”" if "," in name.name or "." in name.name else name.name


def habit(agent: Agent) -> str:
    """What a scripted contestant does, in the words of its own code; empty for a real model."""
    if agent.model == DESK_MODEL:
        return "Six scripted roles that answer from what stands in their prompts."
    function = BASELINES.get(agent.model) or RULE_PARAMETERS.get(agent.model) or OFFLINE_MODELS.get(agent.model)
    lines = ((function.__doc__ or "") if function else "").strip().splitlines()
    return lines[0].replace("`", "") if lines else ""
