"""What a seed has much of. Faults that are rare alone hardly ever meet; so most seeds have plenty of some of them.

Every second seed has the usual weather, the others take turns. None goes beyond what the protocol assumes: the exchange
tells of an order within minutes, and what is frozen for long finds its request expired.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.schedules.hostile import Dice


@dataclass
class Chances:
    """How often what befalls an actor, from 0 to 1 at each seam; all zero is a calm."""

    killed: float = 0.01
    cut_off: float = 0.006
    frozen: float = 0.018
    frozen_sending: float = 0.0
    others_go_on: float = 0.3
    time_passes: float = 0.06
    commit_lost: float = 0.012
    commit_lied: float = 0.02
    killed_after: float = 0.02
    killed_asking: float = 0.05
    message_lost: float = 0.2
    message_twice: float = 0.15
    message_late: float = 0.1
    no_market: float = 0.12

    def calm(self) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, 0.0)


@dataclass(frozen=True, slots=True)
class Weather:
    """What is other than usual: chances of actors, dice of the exchange, how far its answers lag at most."""

    name: str
    chances: Mapping[str, float] = field(default_factory=dict)
    dice: Mapping[str, float] = field(default_factory=dict)
    lag_s_max: int = 60

    def sets(self, chances: Chances, dice: Dice) -> None:
        for target, values in ((chances, self.chances), (dice, self.dice)):
            for name, value in values.items():
                if not hasattr(target, name):
                    raise AttributeError(f"{type(target).__name__} has no {name}")
                setattr(target, name, value)


USUAL = Weather("usual")
OTHERS = (
    Weather("sleepy senders", {"frozen_sending": 0.3}, {"lost": 0.02, "answer_lost": 0.05, "refused": 0.02}),
    Weather("an exchange that tells late", {"frozen": 0.005}, {"answer_lost": 0.6, "lag": 1.0, "wiped": 0.0}, 300),
    Weather("orders in pieces", {}, {"partial": 0.6, "lag": 1.0, "lost": 0.02, "answer_lost": 0.05}, 120),
    Weather("a crowd", {"others_go_on": 0.6, "message_twice": 0.6, "message_lost": 0.02, "commit_lied": 0.06}),
    Weather("wipes", {}, {"wiped": 0.15, "lost": 0.05, "answer_lost": 0.3}),
    Weather("bad hosts", {"killed": 0.02, "cut_off": 0.015, "commit_lost": 0.03, "commit_lied": 0.05}),
)


def weather_of(seed: int) -> Weather:
    """The weather of a seed, the same for ever."""
    return USUAL if seed % 2 else OTHERS[seed // 2 % len(OTHERS)]
