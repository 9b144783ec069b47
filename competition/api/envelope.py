"""What every answer looks like: data or a fault in an envelope, exact numbers as text, instants in UTC with Z."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from market.core.canonical import plain, utc_text

NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$"
SHA256 = r"^[0-9a-f]{64}$"


def _number(value: Any) -> str:
    return plain(value if isinstance(value, Decimal) else Decimal(value))


def _instant(value: Any) -> str:
    return utc_text(value if isinstance(value, datetime) else datetime.fromisoformat(value))


# A decimal as text, with every digit it has and no exponent; ratios are fractions (0.05 is five percent).
Number = Annotated[
    Decimal | str,
    PlainValidator(_number),
    WithJsonSchema({"type": "string", "pattern": NUMBER, "examples": ["10234.5"]}),
]
Instant = Annotated[
    datetime | str,
    PlainValidator(_instant),
    WithJsonSchema({"type": "string", "pattern": INSTANT, "examples": ["2026-11-27T01:00:00Z"]}),
]
Sha256 = Annotated[str, Field(pattern=SHA256)]


class Part(BaseModel):
    """A piece of an answer. Whatever has a default is still always there."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Provenance(Part):
    """Where figures come from: the season, how real it is, the hash of its rules, and the instant of its prices."""

    season: str
    mode: Literal["demo", "paper", "testnet"] = Field(
        description="demo: made-up market; paper: a real market, simulated fills; testnet: fills of the testnet"
    )
    rules_sha256: Sha256
    as_of: Instant | None = Field(description="when the prices were taken; null before there are any")


def _now() -> str:
    return utc_text(timezone.now())


class Success[Data: Part](Part):
    status: Literal["success"] = "success"
    data: Data
    timestamp: Instant = Field(default_factory=_now)


class Fault(Part):
    """What went wrong. `type` is stable and for programs, the rest for people; `fields` says what is wrong where."""

    type: str
    title: str
    detail: str
    fields: dict[str, list[str]] = {}


class Failure(Part):
    status: Literal["error"] = "error"
    error: Fault
    timestamp: Instant = Field(default_factory=_now)
