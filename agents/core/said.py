"""What comes of a call: what was said, or why nothing was; and what is known of a model before it is asked."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agents.core.calls import UNSENT, ErrorClass, Usage


@dataclass(frozen=True, slots=True)
class Said:
    """What a model answered. `usage` is None when the provider reported none or one that cannot be true.

    `parameters` are those the request really carried; `text` is verbatim but for keys, and may be empty.
    `finish_reason` is the provider's own word, empty without one; `status` is that of HTTP.
    """

    text: str
    returned_model: str
    finish_reason: str
    usage: Usage | None
    usage_raw: dict[str, Any]
    provider_request_id: str
    parameters: dict[str, Any] = field(default_factory=dict)
    status: int | None = None


class CallFailed(Exception):
    """A call gave no answer. Of what a provider or a library wrote only its report of `usage` is in it.

    `was_sent` is false only when it is certain that nothing left this process; `detail` is in our own words.
    """

    def __init__(
        self,
        error_class: ErrorClass,
        status: int | None = None,
        retry_after_s: float | None = None,
        provider_request_id: str = "",
        *,
        was_sent: bool = True,
        detail: str = "",
        usage: Usage | None = None,
        usage_raw: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(error_class.value)
        self.error_class = error_class
        self.status = status
        self.retry_after_s = retry_after_s
        self.provider_request_id = provider_request_id
        self.was_sent = was_sent and error_class not in UNSENT
        self.detail = detail
        self.usage = usage
        self.usage_raw = usage_raw or {}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What litellm's own list says of a model; prices in USD per million tokens, None where it names none.

    `key_variables` are the variables for the provider's key that are not set.
    """

    known: bool
    supports_schema: bool = False
    prompt_usd: Decimal | None = None
    completion_usd: Decimal | None = None
    cached_usd: Decimal | None = None
    key_variables: tuple[str, ...] = ()
    max_output_tokens: int | None = None
