"""An event loop in made-up time: where it would wait for the world, its actor gives the turn back until then."""

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulation.actors import Actor

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class _Turns(selectors.SelectSelector):
    """Waits for nothing in the world: it sleeps as an actor does."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._sleep = sleep

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("a loop waits for something that will never come")
        if timeout > 0:
            self._sleep(timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, actor: Actor, now: Callable[[], datetime]) -> None:
        self._now, self._actor = now, actor
        super().__init__(_Turns(self._sleep))
        self._clock_resolution = 1e-6  # as a datetime's; what is due at this very instant would stay undone for ever

    def time(self) -> float:
        return (self._now() - _ZERO).total_seconds()

    def _sleep(self, seconds: float) -> None:
        self._actor.go_on_if_alive()
        self._actor.line.lines.fate.while_waiting(self._actor)
        self._actor.wakes_at = self._now() + timedelta(seconds=seconds + 1e-6)
        self._actor.give_turn_back()

    def _write_to_self(self) -> None:
        """Nobody sleeps in `select`, so nobody needs to be woken."""


class _AtOnce(Executor):
    """Does everything on a thread of its own, as the real one, and waits for it, so that one thread runs at a time."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            self._actor.line.use_here()
            try:
                future.set_result(work(*args, **named))
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join()
        return future


def run_in(actor: Actor, now: Callable[[], datetime]) -> Callable[[Coroutine[Any, Any, int]], int]:
    """What runs a coroutine for this actor, as `asyncio.run` does for a process."""

    def run(work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run(work, loop_factory=lambda: _Loop(actor, now))

    return run


def database_of(actor: Actor) -> Callable[[], Any]:
    @contextmanager
    def opened() -> Iterator[Executor]:
        yield _AtOnce(actor)

    return opened
