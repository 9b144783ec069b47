"""Replies are kept verbatim, but for the few characters that no database column takes."""

from hypothesis import given
from hypothesis import strategies as st

from agents.core.text import storable
from tests.notation import some

any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@some
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=60))
def test_what_a_database_can_keep_is_kept_as_it_is(text: str) -> None:
    assert storable(text) == text


@some
@given(any_text)
def test_any_text_becomes_one_that_a_database_can_keep(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert storable(kept) == kept


def test_what_cannot_be_kept_becomes_a_replacement_character() -> None:
    assert storable("a\x00b") == "a\ufffdb"
    assert set(storable("\ud800")) == {"\ufffd"}
    assert storable("a\udfffb")[0] + storable("a\udfffb")[-1] == "ab"
    assert storable("\U0001f600 ü 漢") == "\U0001f600 ü 漢"
