"""JSON from strangers: one object, every name in it once, every number finite, nothing nested without end."""

import json
import math
from collections.abc import Sequence
from typing import Any

DEPTH_MAX = 32


class NotStrictJson(ValueError):
    """The text is not such an object; the message says why."""


def strict_object(body: bytes, depth_max: int = DEPTH_MAX) -> dict[str, Any]:
    """The object that `body` is, in UTF-8. Raises `NotStrictJson`."""
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise NotStrictJson("it is not UTF-8") from None
    except RecursionError:
        raise NotStrictJson("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotStrictJson(f"{error.msg} at character {error.pos}") from None
    except NotStrictJson:
        raise
    except ValueError:  # an integer of thousands of digits
        raise NotStrictJson("it holds a number too long to be read") from None
    if not isinstance(found, dict):
        raise NotStrictJson("it is not an object")
    if _is_deeper(found, depth_max):
        raise NotStrictJson("it is nested too deeply")
    return found


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotStrictJson("a name stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise NotStrictJson(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotStrictJson("a number is too large")
    return number


def _is_deeper(value: Any, depth_max: int) -> bool:
    """Whether anything in `value` is nested deeper; level by level, without recursion."""
    level = [value]
    for _ in range(depth_max):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)
