"""The house's own: seven baselines, four rules on indicators and six offline models; no key is needed for any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.core.offline_desk import ANALYST_MODEL, DESK_MODEL


@dataclass(frozen=True, slots=True)
class Profile:
    """An agent before it has a row: `kind` is `baseline`, `single` or `firm`."""

    slug: str
    name: str
    kind: str
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def baselines(seed: int) -> tuple[Profile, ...]:
    """The yardsticks; `seed` moves only the random one."""
    return (
        Profile("all-cash", "All cash", "baseline", "baseline/all-cash"),
        Profile("btc-hold", "Bitcoin, held", "baseline", "baseline/fixed-once", {"weights": {"BTCUSDT": "1"}}),
        Profile("equal-weight", "Equal weight", "baseline", "baseline/equal-weight"),
        Profile(
            "sixty-forty",
            "60/40 bitcoin and ether",
            "baseline",
            "baseline/fixed-rebalanced",
            {"weights": {"BTCUSDT": "0.6", "ETHUSDT": "0.4"}},
        ),
        Profile("momentum", "Momentum, best two", "baseline", "baseline/momentum", {"top": 2}),
        Profile("risk-parity", "Risk parity", "baseline", "baseline/risk-parity"),
        Profile("random", "Random, seeded", "baseline", "baseline/random", {"seed": seed}),
    )


def rules() -> tuple[Profile, ...]:
    """One of each rule, with the usual periods. They are for backtests: a brief shows too few days for most of them."""
    names = {
        "ema-cross": "EMA cross",
        "rsi-reversion": "RSI reversion",
        "momentum": "Momentum by candles",
        "bollinger": "Bollinger breakout",
    }
    slugs = {"momentum": "momentum-rule"}  # there is a baseline of that name
    return tuple(Profile(slugs.get(rule, rule), name, "baseline", f"rule/{rule}") for rule, name in names.items())


def offline_models(seed: int) -> tuple[Profile, ...]:
    """The scripted characters; `seed` moves the moods of those that have any."""
    names = {
        "steady": "Steady",
        "swinger": "Swinger",
        "garbled": "Garbled",
        "latecomer": "Latecomer",
        "greedy": "Greedy",
        "refuser": "Refuser",
    }
    return tuple(Profile(slug, name, "single", f"offline/{slug}", {"seed": seed}) for slug, name in names.items())


def demo_guests(seed: int) -> tuple[Profile, ...]:
    """Who joins the demo's running season besides: a scripted firm, and the example agent in plain Python."""
    parameters = {"seed": seed, "analyst_model": ANALYST_MODEL}
    return (
        Profile("offline-firm", "Offline firm of six", "firm", DESK_MODEL, parameters),
        Profile("plain-example", "Plain Python example", "single", "example/equal-weight"),
    )


def house(seed: int, universe: Sequence[str]) -> tuple[Profile, ...]:
    """Everyone the house fields in a season, in the order of their numbers.

    A baseline that is defined by symbols outside the universe (bitcoin, held, without bitcoin) stays away.
    """
    fit = (profile for profile in baselines(seed) if set(profile.parameters.get("weights", ())) <= set(universe))
    return (*fit, *offline_models(seed))
