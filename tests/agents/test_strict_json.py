"""JSON from strangers is one object, or it is nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.strict_json import DEPTH_MAX, NotStrictJson, strict_object
from tests.notation import some

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@some
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_an_object_is_read_as_it_was_written(content: dict[str, object]) -> None:
    assert strict_object(json.dumps(content).encode()) == content


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Expecting value"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b'{"a": 1} {"a": 2}', "Extra data"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": {"b": 1, "b": 1}}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "too long"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a":' + b"[" * 100_000, "too deeply"),
        (b'{"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}", "too deeply"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_anything_else_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(NotStrictJson, match=why):
        strict_object(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert strict_object(b'{"a":' + b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1) + b"}")
