"""What is wrong with a rules document, in our words: whoever wrote it need not know the library that checks it."""

from collections.abc import Mapping

from pydantic import ValidationError

# By pydantic's type of error; what stands in braces is what it knows of the case.
_NUMBER, _WHOLE = "must be a number", "must be a whole number"
_LIST, _INSTANT = "must be a list", "must be an instant, written like 2026-01-05T00:00:00Z"
_OBJECT = "The rules must be one JSON object"
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not a rule",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must name at least {min_length}",
    "too_long": "must name at most {max_length}",
    "literal_error": "must be {expected}",
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_max_places": "must have at most {decimal_places} decimals",
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    **dict.fromkeys(("decimal_type", "decimal_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
    **dict.fromkeys(("tuple_type", "list_type"), _LIST),
    "string_type": "must be a text",
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing"), _INSTANT),
    **dict.fromkeys(("timezone_aware", "timezone_naive", "datetime_object_invalid"), _INSTANT),
    "json_invalid": "This is not JSON: {error}",
    **dict.fromkeys(("json_type", "model_type"), _OBJECT),
    "value_error": "{error}",
}


def rule_problems(invalid: ValidationError) -> list[str]:
    """What is wrong, one sentence each without its full stop; those about one rule begin with its name."""
    return [_sentence(problem["loc"], problem) for problem in invalid.errors(include_url=False, include_input=False)]


def _sentence(place: tuple[int | str, ...], problem: Mapping[str, object]) -> str:
    words = _WORDS.get(str(problem["type"]), str(problem["msg"]))
    context = problem.get("ctx", {})
    text = words.format_map(context) if isinstance(context, Mapping) else words
    return f"{'.'.join(map(str, place))} {text}".strip()
