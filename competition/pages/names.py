"""How contestants are called on pages, and what is said about what they are."""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.core.baselines import BASELINES
from agents.core.offline import OFFLINE_MODELS
from agents.core.offline_desk import DESK_MODEL
from agents.core.rule_parameters import RULE_PARAMETERS
from agents.models import Agent, AgentKind
from competition.models import Entry, Season
from competition.pages.text import line

HOUSE = "house"
RESELLERS = frozenset({"openrouter"})  # who passes on the models of others: the vendor is the next part
KIND_WORDS = {AgentKind.SINGLE: "model", AgentKind.FIRM: "firm", AgentKind.BASELINE: "baseline"}


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


def entries_of(season: Season) -> list[Entry]:
    """Everyone in the season with agent, by number: one query."""
    return list(season.entries.select_related("agent").order_by("number"))


def name_of(entry: Entry) -> EntryName:
    """The entry as lists show it; its agent must be loaded."""
    agent = entry.agent
    kind = KIND_WORDS[AgentKind(agent.kind)]
    return EntryName(entry.slug, line(agent.name), kind, agent.is_simulated, vendor_of(agent.model))


def vendor_of(model: str) -> str:
    """Who makes the model of this string: `openrouter/deepseek/chat` is from deepseek, `openai/gpt` from openai."""
    parts = [line(part) for part in model.split("/")]
    if parts[0] == "baseline":
        return HOUSE
    return parts[1] if parts[0] in RESELLERS and len(parts) > 2 else parts[0]


def names_by_slug(entries: Iterable[Entry]) -> dict[str, EntryName]:
    return {entry.slug: name_of(entry) for entry in entries}


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
