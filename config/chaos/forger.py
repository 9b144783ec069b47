"""Messages nobody sent: of unknown tasks, far too large, about weeks long over and about none, each of them often."""

from celery import Celery
from kombu.exceptions import OperationalError

TIMES, LARGE, NOBODYS = 5, "x" * 1_000_000, 2**31
Message = tuple[str, list[object], dict[str, object]]  # task and arguments
TASKS = ("competition.tasks.advance", "competition.tasks.ask", "competition.tasks.execute")


def forge(app: Celery) -> bool:
    """Put them into the queues; False where the broker did not take them."""
    about_old_weeks: list[Message] = [(name, [number], {}) for name in TASKS for number in (1, 2)]
    strange: list[Message] = [
        ("competition.tasks.nothing_of_this_name", [1], {}),
        (TASKS[0], [NOBODYS], {"padding": LARGE}),
        (TASKS[0], ["no number"], {}),
    ]
    try:
        with app.connection_for_write() as connection:
            for name, args, kwargs in [*about_old_weeks, *strange] * TIMES:
                app.send_task(name, args, kwargs, queue="celery", connection=connection, retry=False)
    except (OperationalError, OSError):
        return False
    return True
