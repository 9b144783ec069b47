"""Offline models: scripted characters that answer without any provider, so that everything runs without a key.

They are simulated and labelled so wherever they appear. Four of the six fail in ways real models fail, so that the
handling of failure is on view from the first week on. Same brief, same seed, same reply. The firm's roles are played
by two more, in `offline_desk.py`.
"""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.core.baselines import rebalance_text
from agents.core.blocks import blocks_of, objections_told
from agents.core.calls import Message
from agents.core.offline_desk import ROLES_OF, desk_answer
from market.core.canonical import plain


class UnknownOfflineModel(ValueError):
    """A model string `offline/…` that is not in the list."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """What a scripted model says, and whether it says it only after its time is up."""

    text: str
    late: bool = False


Character = Callable[[Mapping[str, Any], random.Random], Scripted]


def steady(brief: Mapping[str, Any], mood: random.Random) -> Scripted:
    """Careful: 70 % spread over everything by size of habit, the rest in cash; moves only every fourth week."""
    if brief["portfolio"]["holdings"] and brief["cycle"] % 4 != 1:
        return _hold("Nothing has changed enough to pay the fees for.")
    names = sorted(brief["market"]["symbols"])
    share = (Decimal("0.7") / len(names)).quantize(Decimal("0.01"))
    return Scripted(rebalance_text(dict.fromkeys(names, share), "Spread wide and keep 30 % dry."))


def swinger(brief: Mapping[str, Any], mood: random.Random) -> Scripted:
    """Chases last week's winner with most of the money, and wraps its answer in a code fence as chat models do."""
    changes = {name: Decimal(row["change_7d"] or 0) for name, row in brief["market"]["symbols"].items()}
    winner = max(sorted(changes), key=lambda name: changes[name])
    if changes[winner] <= 0:
        text = rebalance_text({brief["rules"]["quote"]: Decimal(1)}, "Everything fell last week. Out.")
    else:
        why = f"{winner} rose {plain(changes[winner] * 100)} % in a week; I want to be where it moves."
        text = rebalance_text({winner: Decimal("0.8")}, why)
    return Scripted(f"Here is my decision.\n\n```json\n{text}\n```\n")


def garbled(brief: Mapping[str, Any], mood: random.Random) -> Scripted:
    """Means well, but in two weeks of three its JSON breaks off or carries a NaN."""
    names = sorted(brief["market"]["symbols"])
    text = rebalance_text({name: Decimal("0.18") for name in names}, "Evenly, with a little cash.")
    breakage = mood.randrange(3)
    if breakage == 0:
        return Scripted(text[: len(text) * 2 // 3])
    if breakage == 1:
        return Scripted(text.replace("0.18", "NaN", 1))
    return Scripted(text)


def latecomer(brief: Mapping[str, Any], mood: random.Random) -> Scripted:
    """Thinks so long that in two weeks of three the deadline has passed."""
    weights = {"BTCUSDT": Decimal("0.5")} if "BTCUSDT" in brief["market"]["symbols"] else {}
    text = rebalance_text(weights, "After long thought: half in bitcoin.") if weights else _hold("Undecided.").text
    return Scripted(text, late=mood.randrange(3) > 0)


def greedy(brief: Mapping[str, Any], mood: random.Random) -> Scripted:
    """Wants more than there is: in three weeks of four its weights go beyond the whole portfolio."""
    names = sorted(brief["market"]["symbols"])
    first, second = mood.sample(names, 2) if len(names) > 1 else (names[0], names[0])
    if mood.randrange(4) == 0:
        return Scripted(rebalance_text({first: Decimal("0.6"), second: Decimal("0.4")}, f"All in: {first}."))
    return Scripted(
        rebalance_text({first: Decimal("1.2"), second: Decimal("0.9")}, f"{first} and {second}, with leverage.")
    )


def refuser(brief: Mapping[str, Any], mood: random.Random) -> Scripted:
    """Declines every time, politely and without JSON."""
    return Scripted("I'm sorry, but I can't help with investment decisions. Please talk to a qualified adviser.")


OFFLINE_MODELS: Mapping[str, Character] = {
    "offline/steady": steady,
    "offline/swinger": swinger,
    "offline/garbled": garbled,
    "offline/latecomer": latecomer,
    "offline/greedy": greedy,
    "offline/refuser": refuser,
}


def offline_reply(
    model: str, parameters: Mapping[str, Any], brief: Mapping[str, Any], objections: Sequence[str]
) -> Scripted:
    """What this model, one of `OFFLINE_MODELS`, says to this brief; after objections it tries afresh."""
    mood = random.Random(f"{parameters.get('seed', 0)}/{model}/{brief['cycle']}/{len(objections)}")  # noqa: S311
    return OFFLINE_MODELS[model](brief, mood)


_ROLE = re.compile(r"Role: (\w+), prompt v")
_NO_OBJECTIONS = {"listed": [], "left_out": 0}


def offline_answer(model: str, messages: Sequence[Message], seed: int) -> Scripted:
    """What an offline model says to these messages, from what stands in them alone.

    A prompt without role or whole brief, such as a test of the line, gets a line back. Raises `UnknownOfflineModel`.
    """
    if model not in OFFLINE_MODELS and model not in ROLES_OF:
        raise UnknownOfflineModel(
            f"{model!r} is no offline model. There are: {', '.join([*OFFLINE_MODELS, *ROLES_OF])}."
        )
    role = next((found[1] for message in messages[:1] if (found := _ROLE.match(message.content))), "")
    blocks = blocks_of(messages)
    if not role or "cycle" not in blocks.get("brief", {}):
        return Scripted(f"{model} is here, and simulated.")
    if model in ROLES_OF:
        return Scripted(desk_answer(model, role, blocks, seed))
    if role != "single":
        return Scripted(f"{model} decides alone and plays no {role}.")
    objections = objections_told(blocks.get("objections", _NO_OBJECTIONS))
    return offline_reply(model, {"seed": seed}, blocks["brief"], objections)


def _hold(why: str) -> Scripted:
    return Scripted(json.dumps({"action": "hold", "rationale": why}))
