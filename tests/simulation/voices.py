"""Models that are silent, late, garbled, greedy, out of money or of two minds, by the dice of a schedule.

They stand where a runner's client stands. What they truly did is kept: who was asked when, until when anybody might
wait for it, and how many tokens it used.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import CallRecord, Message, Usage
from agents.runner_client import Admit, Ask, at_once

HOLD = '{"action": "hold"}'
GARBAGE = ("", "I would rather not.", '{"action": "rebalance", "allocations": {"BTCUSDT": NaN}}', '{"action": "hold"')
UNRULY = (
    '{"action": "rebalance", "allocations": {"BTCUSDT": 0.9, "ETHUSDT": 0.9}}',
    '{"action": "rebalance", "allocations": {"DOGEUSDT": 1.0}}',
    '{"action": "rebalance", "allocations": {"BTCUSDT": -0.5, "USDT": 1.5}}',
)


@dataclass
class Asked:
    """One question as it was truly put: `over_at` is when nobody asked any more, None while somebody may be."""

    agent: str
    brief: str
    at: datetime
    until: datetime
    tokens: int = 0
    over_at: datetime | None = None


@dataclass
class Moods:
    """How often what comes, in parts of all; `calm` leaves only good answers."""

    good: int = 40
    hold: int = 8
    garbage: int = 8
    unruly: int = 8
    silent: int = 8
    unaccounted: int = 10
    late: int = 10
    cut_off: int = 4
    greedy: int = 4
    crash: int = 4

    def talk_sense(self) -> None:
        """Mostly good answers, and something of everything else."""
        for name in self.__dataclass_fields__:
            setattr(self, name, 40 if name == "good" else 1)

    def calm(self) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, int(name in ("good", "hold")))


class Voices:
    """All models of a season."""

    def __init__(self, rng: random.Random, now: Callable[[], datetime], told: Callable[[str], None]) -> None:
        self.rng, self.now, self.told = rng, now, told
        self.moods = Moods()
        self.log: list[Asked] = []

    @asynccontextmanager
    async def runner(self) -> AsyncIterator[Ask]:
        async def ask(question: Question, admit: Admit = at_once) -> Answer | NoAnswer:
            return await self._ask(question, admit)

        yield ask

    async def _ask(self, question: Question, admit: Admit) -> Answer | NoAnswer:
        names = list(self.moods.__dataclass_fields__)
        mood = self.rng.choices(names, [getattr(self.moods, name) for name in names])[0]
        began_at = self.now()
        asked = Asked(question.agent, question.brief.sha256, began_at, began_at + timedelta(seconds=question.seconds))
        self.log.append(asked)
        seconds = self.rng.choice([0.5, 3, 40, question.seconds / 2])
        if mood in ("silent", "unaccounted"):
            seconds = question.seconds
        elif mood == "late":
            seconds = question.seconds + self.rng.choice([0.0, 1, 700, 4000])
        self.told(f"{question.agent} is asked and will be {mood} after {seconds:.1f} s")
        try:
            await asyncio.sleep(seconds)
            await admit()
            answer = self._answer(question, mood, began_at, asked)
        finally:
            asked.over_at = self.now()
        if mood == "crash":
            raise ConnectionError("the runner broke off")
        return answer

    def _answer(self, question: Question, mood: str, began_at: datetime, asked: Asked) -> Answer | NoAnswer:
        if mood == "unaccounted":
            asked.tokens = question.allowance.tokens
            return NoAnswer("no answer within its time", calls_known=False)
        usage = self._usage(question, greedy=mood == "greedy")
        asked.tokens = min(usage.total, question.allowance.tokens)
        text = self._text(mood)
        record = CallRecord(
            role="single",
            number=1,
            requested_model=question.model,
            messages=(Message(role="user", content="the brief"),),
            reply="" if mood == "silent" else text,
            usage=usage,
            started_at=began_at,
            latency_ms=500,
        )
        if mood == "silent":
            return NoAnswer("the model gave no reply", (record,))
        return Answer(text, mood == "cut_off", (record,))

    def _usage(self, question: Question, *, greedy: bool) -> Usage:
        if greedy:
            return Usage(prompt=question.allowance.tokens, completion=question.allowance.tokens)
        return Usage(prompt=self.rng.randint(1, 900), completion=self.rng.randint(1, 400))

    def _text(self, mood: str) -> str:
        if mood == "hold":
            return HOLD
        if mood == "garbage":
            return self.rng.choice(GARBAGE)
        return self.rng.choice(UNRULY) if mood == "unruly" else self.weights()

    def weights(self) -> str:
        """A good decision: parts of a hundred in three symbols, the rest in cash."""
        parts = [self.rng.randint(0, 30) for _ in range(3)]
        names = ("BTCUSDT", "ETHUSDT", "ADAUSDT")
        given = ", ".join(f'"{name}": {Decimal(part) / 100}' for name, part in zip(names, parts, strict=True))
        return f'{{"action": "rebalance", "allocations": {{{given}}}}}'
