"""How much more than a cap is ever let in: 64 reservations at once on a real PostgreSQL, 1,000 rounds (or ARGS).

Each round has a cap of its own for ten of the 64, in tokens, USD or both. There is no peer: it is a figure to keep.
"""

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from decimal import Decimal

AT_ONCE, FIT = 64, 10


def main() -> None:
    from django.core.management import call_command

    import tests.conftest  # noqa: F401 - engines, settings
    from tests.databases import connected_to, database

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    name = f"reservations_{os.getpid()}"
    with database(name), connected_to(name):
        call_command("migrate", verbosity=0)
        began = time.monotonic()
        overshoot, let_in = _play(rounds)
    told = {"name": "reservations", "rounds": rounds, "at_once": AT_ONCE, "seconds": round(time.monotonic() - began)}
    print(json.dumps({**told, "let_in": let_in, "wanted": rounds * FIT, "overshoot": overshoot}))
    sys.exit(bool(overshoot) or let_in != rounds * FIT)


def _play(rounds: int) -> tuple[int, int]:
    """Rounds that let in more than fits, and how many were let in over all of them."""
    from django.db import connections

    attempts = _attempts(rounds)
    gate = threading.Barrier(AT_ONCE, timeout=60)
    let_in = [0] * rounds
    count = threading.Lock()

    def come(position: int) -> None:
        try:
            for number in range(rounds):
                gate.wait()
                if _reserve(attempts[number * AT_ONCE + position], number):
                    with count:
                        let_in[number] += 1
        finally:
            connections.close_all()

    _at_once([lambda position=position: come(position) for position in range(AT_ONCE)])
    return sum(came > FIT for came in let_in) + _beyond_their_caps(), sum(let_in)


def _attempts(rounds: int) -> list[object]:
    from agents.models import Attempt
    from tests.agents.money import NOW, a_brief

    made: list[object] = []
    for _ in range(rounds):
        brief = a_brief()
        made += Attempt.objects.bulk_create(
            Attempt(brief=brief, number=number, run_token=uuid.uuid4(), started_at=NOW, lease_until=NOW)
            for number in range(1, AT_ONCE + 1)
        )
    return made


def _reserve(attempt: object, number: int) -> bool:
    from django.db import transaction

    from agents.budget import reserve
    from agents.core.budgeting import Scope
    from agents.models import Reservation
    from tests.agents.money import NOW, worst

    tokens = FIT * 1_000 if number % 3 != 1 else None
    usd = Decimal("0.1") * FIT if number % 3 != 0 else None
    with transaction.atomic():
        return isinstance(
            reserve(attempt, [Scope(f"round {number}", tokens, usd)], worst(1_000, "0.1"), NOW), Reservation
        )


def _beyond_their_caps() -> int:
    """Budgets that hold more than their cap, by what is written."""
    from django.db.models import F, Q

    from agents.models import Budget

    over = Q(tokens_cap__lt=F("tokens_reserved") + F("tokens_spent")) | Q(
        usd_cap__lt=F("usd_reserved") + F("usd_spent")
    )
    return Budget.objects.filter(over).count()


def _at_once(works: list[Callable[[], None]]) -> None:
    broken: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]


if __name__ == "__main__":
    main()
