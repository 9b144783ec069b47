"""What is wrong with an agent's parameters, in our words: an operator need not know the library that checks them."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from agents.core.parameters import AgentParameters
from agents.core.text import storable

_NUMBER, _WHOLE, _TEXT = "must be a number", "must be a whole number", "must be a text"
# By pydantic's type of error; what stands in braces is what it knows of the case.
_WORDS: Mapping[str, str] = {
    "extra_forbidden": "there is no such parameter. There are: {fields}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "literal_error": "must be {expected}",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be provider/model, as in openai/gpt-5",
    "string_type": _TEXT,
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
    "value_error": "{error}",
}


def parameter_sentences(invalid: ValidationError, of: type[BaseModel] = AgentParameters) -> list[str]:
    """What is wrong, one sentence each; those about one parameter begin with its name. `of` is what they should be."""
    fields = ", ".join(of.model_fields)
    return [_sentence(problem, fields) for problem in invalid.errors(include_url=False, include_input=False)]


def unkept(value: Any) -> str:
    """Why the database could not keep this JSON value, in a sentence; empty when it can."""
    for leaf in _leaves(value):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return f"{json.dumps(leaf)} is no number that can be kept."
        if isinstance(leaf, str) and storable(leaf) != leaf:
            return "A text in it holds a character that cannot be kept (NUL, or half of a surrogate pair)."
    return ""


def _sentence(problem: Any, fields: str) -> str:
    words = _WORDS.get(problem["type"], "cannot be used").format_map({**problem.get("ctx", {}), "fields": fields})
    return ": ".join([*(storable(str(part)) for part in problem["loc"]), f"{words}."])


def _leaves(value: Any) -> Iterator[Any]:
    """Every name and every value in it that holds no other, without recursion."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            waiting += [*found.keys(), *found.values()]
        elif isinstance(found, list):
            waiting += found
        else:
            yield found
