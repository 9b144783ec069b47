"""One schedule: a short season played by workers and tickers that are killed, frozen, cut off and lied to.

Everything between the dice is production: the tick, the steps, the broker, PostgreSQL with its locks and triggers.
Made up are the clock, the messages between ticker and worker, the models and the exchange.
"""

import random
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.utils import InterfaceError, OperationalError

from competition.core.schedule import boundary, last_due
from competition.core.states import TERMINAL_CYCLES, CycleState, TurnState
from competition.models import Season, Turn
from competition.services import asking_round, executing, ticking
from competition.services.markets import candles_of
from market.core.candles import Series, empty_series
from tests.schedules.hostile import HostileExchange
from tests.simulation import points
from tests.simulation.actors import Actor, Killed, Stage
from tests.simulation.connection import CountingConnection
from tests.simulation.lines import Lines
from tests.simulation.looks import Looks
from tests.simulation.loops import database_of, run_in
from tests.simulation.twins import answer_again
from tests.simulation.voices import Voices
from tests.simulation.weather import USUAL, Chances, weather_of

Job = Callable[[Actor], None]
HOUR = timedelta(hours=1)
LOOKS = ([True], [False], [True, False], [True, True, False], [True, True, False])  # who helps itself
LOOKS_MAX = 14  # of a week's asking with faults, and of its trading: what they leave undone, the calm has to do


class World:
    """The season under way, and everything that happens to it."""

    def __init__(self, seed: int, season: Season, lines: Lines) -> None:
        self.seed, self.season, self.lines = seed, season, lines
        self.rng = random.Random(seed)
        self.rules = season.rule_book
        self.looks = Looks(season)
        self.stage = Stage(self.rng, self.rules.starts_at, lines)
        self.chances, self.is_calm = Chances(), False
        self.counted = Counter[tuple[str, str]]()
        self.log: list[str] = []
        self.lost = set[str]()  # orders of which the record was put back to before it had them
        self.messages: list[tuple[datetime, int, str, Job]] = []
        self.numbers = 0
        self.no_market_until = self.rules.starts_at
        self.exchange = HostileExchange(self.rng, self.clock, self.say)
        self.weather = weather_of(seed)
        self.weather.sets(self.chances, self.exchange.dice)
        self.exchange.lag_ms_max = self.weather.lag_s_max * 1000
        self.voices = Voices(self.rng, self.clock, self.hear)
        if self.rules.execution == "testnet" and self.weather is not USUAL:
            self.voices.moods.talk_sense()  # so that there are orders for things to happen to
        lines.fate = self

    def clock(self) -> datetime:
        return self.stage.now

    def new_token(self) -> uuid.UUID:
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    def say(self, line: str) -> None:
        self.log.append(f"{self.stage.now:%m-%d %H:%M:%S} {line}")
        self._count_of_exchange(line)

    def hear(self, line: str) -> None:
        self.say(line)
        self.count(points.EVENT, "model")

    def count(self, how: str, where: str) -> None:
        self.counted[how, where] += 1

    def _event(self, where: str) -> None:
        self.count(points.EVENT, where)

    def _count_of_exchange(self, line: str) -> None:
        for word, event in _EXCHANGE_WORDS:
            if word in line:
                self.count(points.EVENT, event)

    # -- fate -----------------------------------------------------------------------------------------------

    def before_statement(self, actor: Actor, sql: str) -> None:
        self._seam(actor, actor.line.is_in_transaction())

    def before_commit(self, actor: Actor) -> None:
        if self.rng.random() < self.chances.others_go_on:
            actor.give_turn_back()
        if self.rng.random() < self.chances.commit_lost:
            self._tell(actor, points.UNKNOWN, "its commit is lost")
            actor.line.cut()
            self.after_rollback(actor)
            raise OperationalError("server closed the connection unexpectedly")

    def after_commit(self, actor: Actor) -> None:
        dice = self.rng.random()
        if dice < self.chances.commit_lied:
            self._tell(actor, points.UNKNOWN, "its commit went through and is told as failed")
            self.after_rollback(actor)
            raise OperationalError("server closed the connection unexpectedly")
        if dice < self.chances.commit_lied + self.chances.killed_after:
            self._kill(actor, points.AFTER)
        self.after_rollback(actor)

    def after_rollback(self, actor: Actor) -> None:
        """Whoever waited for its locks goes on first."""
        if any(other.is_waiting for other in self.stage.actors):
            actor.give_turn_back()

    def while_waiting(self, actor: Actor) -> None:
        """Whoever waits for models may die meanwhile, with everything that is on its way."""
        if self.rng.random() < self.chances.killed_asking:
            self._event("dies-asking")
            self._kill(actor, points.BETWEEN)

    def _seam(self, actor: Actor, inside: bool) -> None:
        dice, chances = self.rng.random(), self.chances
        if dice < chances.killed:
            self._kill(actor, points.INSIDE if inside else points.BETWEEN)
        dice -= chances.killed
        if dice < chances.cut_off:
            self._cut_off(actor)
        dice -= chances.cut_off
        if dice < chances.frozen:
            self._freeze(actor, inside)
        elif dice < chances.frozen + chances.others_go_on:
            actor.give_turn_back()
        elif dice < chances.frozen + chances.others_go_on + chances.time_passes and not inside:
            self.stage.now += timedelta(seconds=self.rng.choice([0.01, 0.5, 3, 9]))

    def _kill(self, actor: Actor, how: str) -> None:
        self._tell(actor, how, "dies")
        if how == points.BETWEEN and points.is_within("brief_cycle"):
            self._event("dies-briefing")
        actor.is_killed = True
        actor.line.cut()
        raise Killed

    def _cut_off(self, actor: Actor) -> None:
        self._tell(actor, points.EVENT, "is cut off from the database", "outage-of-database")
        actor.line.cut()
        self.after_rollback(actor)
        raise OperationalError("server closed the connection unexpectedly")

    def _freeze(self, actor: Actor, inside: bool) -> None:
        frozen_s = self.rng.choice([1, 5, 20] if inside else [1, 30, 61, 700, 4000])
        self._tell(actor, points.FROZEN, f"is frozen for {frozen_s} s")
        actor.wakes_at = self.stage.now + timedelta(seconds=frozen_s)
        actor.give_turn_back()

    def _tell(self, actor: Actor, how: str, what: str, where: str = "") -> None:
        place = points.place()
        self.count(how, where or place)
        self.say(f"{actor.name} {what} ({how}) at {place or 'its door'}")

    def _seam_of_exchange(self, actor: Actor) -> Callable[[str], None]:
        def seam(where: str) -> None:
            actor.go_on_if_alive()
            before = self.stage.now
            try:
                self._doze(actor, where)
                self._seam(actor, inside=False)
            except Killed:
                self._count_sending("dies", where)
                raise
            except OperationalError:
                return  # a line to the database that breaks meanwhile is found out at the next statement
            if self.stage.now > before + timedelta(seconds=5):
                self._count_sending("frozen", where)

        return seam

    def _doze(self, actor: Actor, where: str) -> None:
        """With a request in hand that is written down already, for longer than it stays valid."""
        if where.startswith(("before sending", "before stamping")) and self.rng.random() < self.chances.frozen_sending:
            self._freeze(actor, inside=False)

    def _count_sending(self, what: str, where: str) -> None:
        for when in ("before", "after"):
            if where.startswith(f"{when} sending"):
                self.count(points.EVENT, f"{what}-{when}-sending")

    # -- who does what --------------------------------------------------------------------------------------

    def start(self, name: str, job: Job, at: datetime | None = None) -> None:
        """Let an actor begin at an instant, or as soon as a line is free."""
        self.numbers += 1
        self.messages.append((at or self.stage.now, self.numbers, f"{name} {self.numbers}", job))

    def arrivals(self) -> datetime | None:
        """Start who is due, as far as there are lines; when the next is."""
        self.messages.sort(key=lambda message: message[:2])
        while self.messages and self.messages[0][0] <= self.stage.now:
            line = self.lines.free()
            if line is None:
                return None
            _, _, name, job = self.messages.pop(0)
            self.stage.actors.append(Actor(name, line, job, self.stage))
        return self.messages[0][0] if self.messages else None

    def after(self, actor: Actor) -> None:
        """What an actor's end means for the schedule: death and an outage are part of the game, nothing else is."""
        actor.line.give_back()
        error = actor.error
        if error is None or actor.is_killed:
            return
        if isinstance(error, BaseExceptionGroup) and not error.split((OperationalError, InterfaceError))[1]:
            error = OperationalError(str(error))
        if isinstance(error, OperationalError | InterfaceError):
            self.say(f"{actor.name} gives up: {str(error).splitlines()[0]}")
            return
        raise error

    def tick(self, *, helps_itself: bool) -> None:
        """A ticker looks: the one sends messages, the other takes every step itself."""

        def job(actor: Actor) -> None:
            dispatch = self._take if helps_itself else self._send
            ticking.tick(self.stage.now, dispatch)

        self.start("ticker" if helps_itself else "beat", job)

    def _take(self, step: str, row_id: int) -> None:
        self.start(f"thread {step}", self._step(step, row_id))

    def _send(self, step: str, row_id: int) -> None:
        """A message, which may be lost, late, or come more than once."""
        if self.rng.random() < self.chances.message_lost:
            self.count(points.EVENT, "message-lost")
            return
        copies = 1 + (self.rng.random() < self.chances.message_twice)
        if copies > 1:
            self.count(points.EVENT, "message-twice")
        for _ in range(copies):
            late_s = 0.1
            if self.rng.random() < self.chances.message_late:
                late_s = self.rng.choice([30, 700, 8000, 700_000])
                self.count(points.EVENT, "message-late")
            self.start(f"worker {step}", self._step(step, row_id), self.stage.now + timedelta(seconds=late_s))

    def _step(self, step: str, row_id: int) -> Job:
        def job(actor: Actor) -> None:
            def connect() -> Any:
                return CountingConnection(self.exchange, self._seam_of_exchange(actor), self._event)

            if step == ticking.ASK:
                run, database = run_in(actor, self.clock), database_of(actor)
                asking_round.ask_cycle(
                    row_id, self.clock, self.voices.runner, self.new_token, run=run, database=database
                )
            elif step == ticking.EXECUTE:
                executing.execute(row_id, self.clock, connect)
            else:
                ticking.advance(row_id, self.clock, connect, self.new_token)

        return job

    def candles(self, symbols: Sequence[str], first: datetime, last: datetime) -> Mapping[str, Series]:
        """The market, which is away now and then."""
        if self.stage.now < self.no_market_until:
            self.count(points.EVENT, "no-market")
            return {symbol: empty_series(symbol, self.rules.timeframe) for symbol in symbols}
        return candles_of(self.rules)(symbols, first, last)

    # -- the run --------------------------------------------------------------------------------------------

    def go_on(self, until: datetime) -> None:
        """Everything that happens up to an instant."""
        waits = self.stage.waits
        self.stage.run_until(until, self.after, self.arrivals)
        self.counted[points.EVENT, "waited"] += self.stage.waits - waits
        self.exchange.deliver()

    def look(self) -> None:
        """Tickers look, mostly both."""
        which = [True] if self.is_calm else self.rng.choice(LOOKS)
        if len(which) > 1:
            self.count(points.EVENT, "ticks-together")
        for helps_itself in which:
            self.tick(helps_itself=helps_itself)

    def play(self, between: Callable[[], None]) -> None:
        """All weeks with faults, `between` them a check; then a calm that has to bring everything to its end."""
        for number in range(1, self.rules.cycles + 1):
            self._week(number)
            between()
        self._calm()
        late = Turn.objects.filter(cycle__season=self.season).exclude(unresolved=[])
        self.counted[points.EVENT, "provisional"] += late.count()
        self.counted[points.EVENT, "settled-late"] += late.filter(state=TurnState.SETTLED.value).count()

    def _week(self, number: int) -> None:
        due = boundary(self.rules, number)
        late = self.rng.choice([*[0] * 11, 0.01, 1, 30, 60]) * HOUR
        if late > HOUR / 2:
            self.count(points.EVENT, "outage")
            self.say(f"nobody runs for {late} from when week {number} is due")
        self.go_on(due + late)
        ends = due + late + timedelta(seconds=self.rules.ask_s + self.rules.trade_window_s * 2.5)
        if self.rng.random() < self.chances.no_market:
            self.no_market_until = self.stage.now + self.rng.choice([0.05, 1.5, 4]) * HOUR
            self.say(f"no market until {self.no_market_until:%m-%d %H:%M}")
        breaks_at = self.stage.now + self.rng.choice([1, 1, 1, 0.2, 0.5]) * (ends - self.stage.now)
        looks = Counter[bool]()
        while self.stage.now < min(ends, breaks_at) and not self._is_done(number):
            is_trading = self._is_trading(number)
            looks[is_trading] += 1
            if looks[is_trading] > LOOKS_MAX:
                break
            self.look()
            if self.rng.random() < 0.15:
                answer_again(self, number)
            if self.exchange.roll(self.exchange.dice.wiped):
                self.exchange.wipe()
            self.go_on(self._next_look(number))

    def _is_trading(self, number: int) -> bool:
        return self.looks.week(number)[0] == CycleState.TRADING

    def _next_look(self, number: int) -> datetime:
        """Mostly when something is due again, otherwise some time later: a tick each minute would change nothing."""
        now, (_, deadline_at) = self.stage.now, self.looks.week(number)
        gap = timedelta(seconds=self.rng.choice([1, 20, 61, 300, 900]))
        if deadline_at is None or self.rng.random() < 0.2:
            return now + gap
        if now < deadline_at:
            leases = [deadline_at, now + timedelta(seconds=self.rules.attempt_s)]
            return self.rng.choice(leases) + timedelta(seconds=self.rng.choice([-1, 0, 1]))
        due = self.looks.next_due(now)
        return due + timedelta(seconds=self.rng.choice([0, 1, 30])) if due else now + gap

    def _is_done(self, number: int) -> bool:
        return self.looks.week(number)[0] in TERMINAL_CYCLES and not self.looks.unresolved()

    def _calm(self) -> None:
        self.is_calm = True
        self.no_market_until = self.stage.now
        self.chances.calm()
        self.exchange.dice.calm()
        self.voices.moods.calm()
        self.say("calm")
        for actor in self.stage.actors:
            actor.wakes_at = self.stage.now
        self.messages = [(min(at, self.stage.now), *rest) for at, *rest in self.messages]
        self.go_on(self.stage.now)
        for _ in range(60):
            self.look()
            self.go_on(self.stage.now + timedelta(seconds=5))
            if not self.open_ends():
                return
            self.stage.now = max(self.stage.now, self._next_need())

    def _next_need(self) -> datetime:
        """When the next thing can happen by itself: a deadline, a look that is due, a boundary."""
        now, waits = self.stage.now, timedelta(minutes=65)
        cycle = self.season.cycles.order_by("-number").first()
        if cycle is None or cycle.state in TERMINAL_CYCLES:
            upcoming = last_due(self.rules, now) + 1
            if self.looks.unresolved() or upcoming > self.rules.cycles:
                return now + waits
            return max(now, boundary(self.rules, upcoming))
        return min(now + waits, max(now + timedelta(seconds=61), cycle.deadline_at))

    def open_ends(self) -> list[str]:
        """What has to come to its end and has not."""
        ended = self.looks.weeks_ended()
        missing = [f"{ended} of {self.rules.cycles} weeks have ended"] if ended < self.rules.cycles else []
        return missing + self.looks.unresolved()


_EXCHANGE_WORDS = (
    ("is lost", "request-lost"),
    ("is delayed by", "request-late"),
    ("the answer about", "answer-lost"),
    ("is EXPIRED", "partial"),
    ("exchange: wiped", "wiped"),
    ("is refused with", "refused"),
)
