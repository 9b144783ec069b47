"""Many schedules on a scratch database beside the configured one, with what they came to: `manage.py simulate`."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized

from django.core.management import call_command
from django.db import connections

from tests.databases import connected_to, database
from tests.simulation.points import EVENT, FROZEN, INSIDE, UNKNOWN, hits
from tests.simulation.run import Played, Theatre, theatre

DEATHS = ("inside", "after", "between")


@dataclass
class Told:
    """What many schedules came to."""

    schedules: int = 0
    retold: int = 0
    differing: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        self.schedules += 1
        self.retold += played.is_retold
        self.counted += played.counted
        if played.differs:
            self.differing.append(played.seed)
        if played.violation:
            self.violations.append(played.violation)

    def points(self) -> dict[str, int]:
        """How often each crash point was hit."""
        return hits(self.counted)

    def faults(self) -> dict[str, int]:
        """What was done to it, in words that a page can show."""
        by_kind = Counter[str]()
        for (how, _), number in self.counted.items():
            by_kind[how] += number
        return {
            "processes killed": sum(by_kind[how] for how in DEATHS),
            "of them inside a transaction": by_kind[INSIDE],
            "processes frozen": by_kind[FROZEN],
            "commits of unknown outcome": by_kind[UNKNOWN],
            "database connections cut": self.counted[EVENT, "outage-of-database"],
            "messages lost, doubled or late": sum(
                self.counted[EVENT, f"message-{how}"] for how in ("lost", "twice", "late")
            ),
            "requests or answers lost at the exchange": sum(
                self.counted[EVENT, name] for name in ("request-lost", "request-late", "answer-lost", "read-failed")
            ),
            "wipes of the exchange": self.counted[EVENT, "wiped"],
        }


@contextmanager
def scratch_theatre() -> Iterator[Theatre]:
    """A migrated database of its own on the configured server, gone afterwards. May raise `NotAllowed`."""
    name = f"simulation_{os.getpid()}"
    with database(name), connected_to(name):
        call_command("migrate", verbosity=0)
        with theatre() as opened:
            yield opened


@dataclass(frozen=True, slots=True)
class Piece:
    """Which seeds are played: so many from `first` on; the first `twice` of them again, to compare what is told."""

    first: int
    number: int
    twice: int = 0


def rehearse(
    piece: Piece, progress: Callable[[Told, Played], None], *, processes: int = 1, stop: Callable[[], bool]
) -> Told:
    """Play these seeds, or as many as there is time for until `stop`, on a scratch database for each process."""
    told = Told()
    with _playing(piece, processes, stop) as played:
        for one in played:
            told.add(one)
            progress(told, one)
    return told


def _plays(piece: Piece, stop: Callable[[], bool], indexes: Iterable[int]) -> Iterator[Played]:
    with scratch_theatre() as stage:
        for index in indexes:
            if stop():
                return
            seed, again = piece.first + index, index < piece.twice
            played = stage.play(seed)
            played.is_retold = again
            played.differs = again and stage.play(seed).sha256 != played.sha256
            yield played


@contextmanager
def _playing(piece: Piece, processes: int, stop: Callable[[], bool]) -> Iterator[Iterator[Played]]:
    """What is played, here or in so many processes, which end when nobody listens any more."""
    if processes == 1:
        yield _plays(piece, stop, range(piece.number))
        return
    forked = multiprocessing.get_context("fork")
    connections.close_all()  # two processes cannot share one
    ears: list[Connection] = []
    players = []
    taken = forked.Value("q", 0)  # whoever is done takes the next: some seeds play twice as long as others
    for _ in range(processes):
        ear, mouth = forked.Pipe(duplex=False)
        player = forked.Process(target=_tell_all, args=(piece, stop, taken, mouth))
        player.start()
        mouth.close()  # here, so that its end there is heard
        ears.append(ear)
        players.append(player)
    try:
        yield _heard(ears)
    finally:
        for ear in ears:
            ear.close()
        for player in players:
            player.join()


def _tell_all(piece: Piece, stop: Callable[[], bool], taken: "Synchronized[int]", mouth: Connection) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more
        for played in _plays(piece, stop, _shared(taken, piece.number)):
            mouth.send(played)
        mouth.send(None)


def _shared(taken: "Synchronized[int]", number: int) -> Iterator[int]:
    """The indexes that no other process has taken, one by one."""
    while True:
        with taken.get_lock():
            index, taken.value = taken.value, taken.value + 1
        if index >= number:
            return
        yield index


def _heard(ears: list[Connection]) -> Iterator[Played]:
    """Plays as they come in, until every process has said that it is done. Raises `EOFError` for one that died."""
    listening = list(ears)
    while listening:
        for ear in wait(listening):
            assert isinstance(ear, Connection)
            played = ear.recv()
            if played is None:
                listening.remove(ear)
            else:
                yield played
