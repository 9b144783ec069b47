"""Addresses of pages, remembered: a page leads to hundreds, and to look one up takes as long as to draw its line."""

from functools import lru_cache

from django.urls import get_script_prefix, reverse

KEPT_MAX = 8192


def address(name: str, *parts: str | int) -> str:
    """The address of the page of this name about these parts, in the order its pattern has them."""
    return _reversed(get_script_prefix(), name, parts)


@lru_cache(maxsize=KEPT_MAX)
def _reversed(prefix: str, name: str, parts: tuple[str | int, ...]) -> str:
    """What a process that serves pages never finds otherwise: its patterns are fixed, and `prefix` is given."""
    return reverse(name, args=parts)
