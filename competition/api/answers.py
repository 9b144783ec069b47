"""What an operation declares that it answers with; the faults that any of them may end in are added here."""

from typing import Any

from competition.api.envelope import Failure

_ALWAYS = (422, 429, 500, 503)


def answers(success: Any, *faults: int, status: int = 200) -> dict[int, Any]:
    """`success` under its status, the named `faults` and those that every operation may have."""
    return {status: success, **dict.fromkeys(sorted({*faults, *_ALWAYS}), Failure)}


def reads(success: Any, *faults: int) -> dict[int, Any]:
    """As `answers`, and a 304 without content for whoever has the data already."""
    return {**answers(success, 404, *faults), 304: None}
