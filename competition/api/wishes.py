"""What a request may ask for. Whatever is not known is refused, so that no typing error gets another answer."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

from django.http import HttpRequest
from ninja.errors import ValidationError
from ninja.operation import Operation
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from competition.models import Season
from competition.pages.frame import NotThere, current_season, season_named

BIGINT_MAX, INTEGER_MAX = 2**63 - 1, 2**31 - 1
SLUG = r"^[-a-zA-Z0-9_]{1,40}$"
SYMBOL = r"^[A-Z0-9]{1,20}$"


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def optional(**known: Any) -> Any:
    """A parameter that may be left out, and is never null when it is there."""
    return Field(default=None, json_schema_extra=_without_default, **known)


Slug = Annotated[str, Field(pattern=SLUG)]
MaybeSlug = Slug | SkipJsonSchema[None]
MaybeSymbol = Annotated[str, Field(pattern=SYMBOL)] | SkipJsonSchema[None]
CycleNumber = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
MaybeCount = Annotated[int, Field(ge=0, le=INTEGER_MAX)] | SkipJsonSchema[None]
MaybeId = Annotated[int, Field(ge=1, le=BIGINT_MAX)] | SkipJsonSchema[None]


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SeasonWish(Wish):
    season: MaybeSlug = optional(description="slug of a season; without it the one that matters now")


class EntryWish(SeasonWish):
    entry: Slug = Field(description="slug of an entry of that season")


def season_of(wish: SeasonWish) -> Season:
    """The season asked for; raises `NotThere`, also before the first has opened."""
    if wish.season:
        return season_named(wish.season)
    season = current_season()
    if season is None:
        raise NotThere("No season has opened yet.")
    return season


def refuse_unknown_parameters(run: Callable[..., Any]) -> Callable[..., Any]:
    """Around an operation's `run`: a query parameter that it does not know, or one given twice, is a 422."""
    operation: Operation = run.__self__  # type: ignore[attr-defined]  # a bound method, or ninja has changed
    known = {name for model in operation.models if _is_query(model) for name in _names(model)}

    @wraps(run)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        errors = [_error(name, "not known here") for name in request.GET if name not in known]
        errors += [_error(name, "given more than once") for name, values in request.GET.lists() if len(values) > 1]
        if errors:
            return operation.api.on_exception(request, ValidationError(errors))
        return run(request, *args, **kwargs)

    return checked


def _is_query(model: Any) -> bool:
    return bool(model.__ninja_param_source__ == "query")


def _names(model: Any) -> Mapping[str, Any]:
    names: Mapping[str, Any] = model.__ninja_flatten_map__
    return names


def _error(name: str, why: str) -> dict[str, Any]:
    return {"loc": ("query", name[:80]), "msg": why}
