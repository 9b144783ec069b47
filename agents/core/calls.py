"""A call: one attempt at one model, as it is put to a provider and as it is kept for ever.

These values cross the wire between orchestrator and runner, so they are pydantic models; they hold no secret.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from market.core.canonical import sha256_of

ERROR_DETAIL_CHARACTERS_MAX = 300

Usd = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
Tokens = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Wire(BaseModel):
    """A frozen value that crosses the wire; a field nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorClass(StrEnum):
    """Why a call gave no usable reply. The text of a provider's error is never kept: it may carry a key."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    KILLED = "killed"
    KEY_REFUSED = "key_refused"
    MODEL_UNKNOWN = "model_unknown"
    CONTEXT_TOO_LONG = "context_too_long"
    BAD_REQUEST = "bad_request"
    CONTENT_REFUSED = "content_refused"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    OVER_ALLOWANCE = "over_allowance"
    ADDRESS_REFUSED = "address_refused"
    UNKNOWN = "unknown"


PASSING = frozenset(
    {ErrorClass.RATE_LIMITED, ErrorClass.SERVER_ERROR, ErrorClass.CONNECTION, ErrorClass.TIMEOUT, ErrorClass.MALFORMED}
)
"""What may be over in a moment: worth another try of the same call, while time and allowance last."""

UNSENT = frozenset({ErrorClass.OVER_ALLOWANCE, ErrorClass.ADDRESS_REFUSED})
"""What is always refused before anything left the runner; others may be, which `CallRecord.was_sent` tells."""


class Message(Wire):
    role: Literal["system", "user", "assistant"]
    content: str


class Usage(Wire):
    """Tokens of one call by kind: `reasoning` is part of `completion`, `cached` part of `prompt`."""

    prompt: Tokens
    completion: Tokens
    reasoning: Tokens = 0
    cached: Tokens = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion


class ModelCall(Wire):
    """One question to one model, fully specified. `reply_schema` is the JSON schema of the reply that is wanted."""

    role: str = Field(max_length=20)
    model: str = Field(max_length=120)
    messages: tuple[Message, ...]
    reply_schema: Mapping[str, Any] | None = None
    max_output_tokens: int = Field(gt=0, le=1_000_000)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = None
    effort: Literal["minimal", "low", "medium", "high"] | None = None
    api_base: str | None = Field(default=None, max_length=200)

    @property
    def sha256(self) -> str:
        """Hash of the whole question; a float enters it as the text it is written with."""
        return sha256_of(self.model_dump(mode="json"))


class CallRecord(Wire):
    """What became of one try of one call. `usage` is None when the provider did not say.

    `parameters` are those that took effect, `usage_raw` is what the provider reported, unread; `finish_reason` is the
    provider's own word; `latency_ms` is from sending to the last byte.
    """

    role: str = Field(max_length=20)
    number: int = Field(ge=1, le=100, description="1 for the first try of this role's call")
    requested_model: str = Field(max_length=120)
    returned_model: str = Field(default="", max_length=200)
    parameters: dict[str, Any] = {}
    messages: tuple[Message, ...]
    reply: str = ""
    usage: Usage | None = None
    usage_raw: dict[str, Any] = {}
    finish_reason: str = Field(default="", max_length=40)
    started_at: datetime
    latency_ms: int = Field(ge=0)
    error_class: ErrorClass | None = None
    error_detail: str = Field(default="", max_length=ERROR_DETAIL_CHARACTERS_MAX)
    status: int | None = None
    provider_request_id: str = Field(default="", max_length=200)
    request_sha256: str = Field(default="", max_length=64)
    was_sent: bool = Field(default=True, description="false only when it is certain that nothing left the runner")
