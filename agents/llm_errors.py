"""Why a call failed: told by the status, the provider's error code, and the name of the library's exception.

Nothing of what any of them writes in words is ever kept.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agents.core.calls import ErrorClass

BY_STATUS = {
    401: ErrorClass.KEY_REFUSED,
    402: ErrorClass.KEY_REFUSED,  # the key is good for no more money; asking again changes nothing
    403: ErrorClass.KEY_REFUSED,
    404: ErrorClass.MODEL_UNKNOWN,
    408: ErrorClass.TIMEOUT,
    413: ErrorClass.CONTEXT_TOO_LONG,
    429: ErrorClass.RATE_LIMITED,
}

# Some meanings are in a provider's error code, or read by litellm out of its words, and in no status: they come first.
MEANINGS = {
    "context_length_exceeded": ErrorClass.CONTEXT_TOO_LONG,
    "content_policy_violation": ErrorClass.CONTENT_REFUSED,
    "content_filter": ErrorClass.CONTENT_REFUSED,
    "rate_limit_exceeded": ErrorClass.RATE_LIMITED,
    "rate_limit_error": ErrorClass.RATE_LIMITED,
    "RESOURCE_EXHAUSTED": ErrorClass.RATE_LIMITED,
    "ContextWindowExceededError": ErrorClass.CONTEXT_TOO_LONG,
    "ContentPolicyViolationError": ErrorClass.CONTENT_REFUSED,
}

# litellm calls its own faults connection errors; a connection that really failed is told by the transport.
BY_NAME = {
    "AuthenticationError": ErrorClass.KEY_REFUSED,
    "PermissionDeniedError": ErrorClass.KEY_REFUSED,
    "NotFoundError": ErrorClass.MODEL_UNKNOWN,
    "RateLimitError": ErrorClass.RATE_LIMITED,
    "Timeout": ErrorClass.TIMEOUT,
    "TimeoutError": ErrorClass.TIMEOUT,
    "BadRequestError": ErrorClass.BAD_REQUEST,
}


def error_class_of_status(status: int) -> ErrorClass:
    """What a status means; a good one here means that the body under it was not an answer."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status < 300:
        return ErrorClass.MALFORMED
    return ErrorClass.SERVER_ERROR if status >= 500 else ErrorClass.BAD_REQUEST


def status_in(names: Iterable[object]) -> int | None:
    """The HTTP status that a body names among the names of its error."""
    numbers = (int(name) for name in map(str, names) if re.fullmatch(r"[45][0-9]{2}", name, re.ASCII))
    return next(numbers, None)


def error_class_in_body(names: Sequence[object]) -> ErrorClass:
    """What an error means that came under a good status, by what its body names it."""
    meaning = next((MEANINGS[str(name)] for name in names if str(name) in MEANINGS), None)
    return meaning or error_class_of_status(status_in(names) or 200)


def error_class_of(error: Exception, status: int | None, code: object = None) -> ErrorClass:
    """What an exception means; status and the body's error code are those that came over the wire, if any came."""
    names = [kind.__name__ for kind in type(error).__mro__]
    meaning = next((MEANINGS[name] for name in (str(code), *names) if name in MEANINGS), None)
    if meaning:
        return meaning
    if status is not None:
        return error_class_of_status(status)
    return next((BY_NAME[name] for name in names if name in BY_NAME), ErrorClass.UNKNOWN)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait from a `Retry-After` header: seconds or an HTTP date, never negative; None when unreadable."""
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
