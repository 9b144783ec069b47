"""When a process of the site looks for garbage.

A page makes tens of thousands of values and drops them with the answer, without a cycle among them. Looked through as
often as a plain interpreter does, with all that was imported, they took a seventh of the time a page takes.
"""

import gc

NEW_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS = 50_000, 20, 20


def look_seldom() -> None:
    """To be called once everything is imported: what is there by then is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS)
