"""Hashes of stored texts computed again, and a look for keys in everything that is stored. Read in chunks."""

from collections.abc import Iterator
from functools import reduce
from hashlib import sha256
from operator import or_
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast

from agents.core.redaction import SHAPES
from agents.models import Brief, Call
from competition.models import Cycle, Season
from market.core.canonical import plain, sha256_of
from market.core.symbols import symbols_of
from portfolio.prepared import Given, Prepared, PreparedObjects

CHUNK = 50
# How every shape of a key begins: the database picks the rows that are looked at closely.
BEGINNINGS = r"sk-[\w*.-]{16}|AIza|gsk_|xai-|hf_|pplx-|r8_|AKIA|bearer |basic |key=|access_token="
NAME_CHARACTERS_MAX = 20  # shorter columns hold names of ours: symbols, states, kinds
OUR_APPS = ("market", "portfolio", "agents", "competition")
_CYCLES = PreparedObjects(
    lambda: Cycle.objects.filter(season=Given("season")).select_related("snapshot", "trade_snapshot").order_by("number")
)
_SHOWN = Prepared(
    lambda: (
        Cycle.objects.filter(season=Given("season"))
        .exclude(snapshot=None)
        .order_by("number")
        .values_list("number", "snapshot__sha256")
    )
)
_BRIEFS = Prepared(
    lambda: (
        Brief.objects.filter(turn__cycle__season=Given("season"))
        .order_by("id")
        .values_list("content", "sha256", "turn__cycle__number", "turn__entry__slug")
    )
)
_CALLS = PreparedObjects(
    lambda: Call.objects.filter(attempt__brief__turn__cycle__season=Given("season")).order_by("id")
)


def snapshots_have_their_hash(season: Season) -> Iterator[str]:
    """And tell the steps and minimums of the symbols that the season froze."""
    frozen = symbols_of(season.symbols or ())
    for cycle in _CYCLES.each(CHUNK, season=season.id):
        for name, stored in (("snapshot", cycle.snapshot), ("trade snapshot", cycle.trade_snapshot)):
            if stored is None:
                continue
            if sha256_of(stored.content) != stored.sha256:
                yield f"the {name} of week {cycle.number} no longer has its hash"
            for symbol, row in stored.content["symbols"].items():
                known = frozen.get(symbol)
                if known is None or (row["step"], row["min_notional"]) != (
                    plain(known.step),
                    plain(known.min_notional),
                ):
                    yield f"the {name} of week {cycle.number} has {symbol} otherwise than the season froze it"


def briefs_have_their_hash(season: Season) -> Iterator[str]:
    """And show the market of the snapshot that was frozen for the cycle."""
    shown = _snapshot_hashes(season)
    for content, stored, number, slug in _BRIEFS.each(CHUNK, season=season.id):
        if sha256_of(content) != stored:
            yield f"the brief of {slug} in week {number} no longer has its hash"
        elif sha256_of(content["market"]) != shown.get(number):
            yield f"the brief of {slug} in week {number} shows another market than the cycle's snapshot"


def _snapshot_hashes(season: Season) -> dict[int, str]:
    return dict(_SHOWN.rows(season=season.id))


def calls_have_their_hashes(season: Season) -> Iterator[str]:
    """Question and reply of every call, each computed again from its own row."""
    for call in _CALLS.each(CHUNK, season=season.id):
        asked = {"model": call.requested_model, "messages": call.messages, "parameters": call.parameters}
        if sha256_of(asked) != call.request_sha256:
            yield f"the question of call {call.pk} no longer has its hash"
        if sha256(call.reply.encode()).hexdigest() != call.reply_sha256:
            yield f"the reply of call {call.pk} no longer has its hash"


def nothing_stored_has_the_shape_of_a_key() -> Iterator[str]:
    """Every text of every row of ours, JSON included, whatever column it is in. The key itself is not told."""
    for label in OUR_APPS:
        for model in apps.get_app_config(label).get_models():
            yield from _keys_in(model)


def _keys_in(model: type[models.Model]) -> Iterator[str]:
    fields = [field.name for field in model._meta.concrete_fields if _can_hold_a_key(field)]
    if not fields:
        return
    as_text = {f"{name}_as_text": Cast(name, models.TextField()) for name in fields}
    maybe = reduce(or_, (Q(**{f"{name}__iregex": BEGINNINGS}) for name in as_text))
    rows: Any = model._default_manager.alias(**as_text).filter(maybe).order_by("pk").values_list("pk", *fields)
    for pk, *values in rows.iterator(chunk_size=CHUNK):
        for name, value in zip(fields, values, strict=True):
            if holds_a_key(value):
                yield f"{name} of {model._meta.verbose_name} {pk} has the shape of a key"


def _can_hold_a_key(field: Any) -> bool:
    is_long = isinstance(field, models.CharField) and (field.max_length or 0) > NAME_CHARACTERS_MAX
    return is_long or isinstance(field, models.TextField | models.JSONField)


def holds_a_key(value: Any) -> bool:
    """Whether a text, or any text or name within a value of JSON, has the shape of a key."""
    if isinstance(value, str):
        return SHAPES.search(value) is not None
    if isinstance(value, dict):
        return any(holds_a_key(name) or holds_a_key(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(holds_a_key, value))
