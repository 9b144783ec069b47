"""What an operator may set on an agent that asks models, and what a firm or a single model gets by default."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MODEL_STRING = r"^[a-z0-9_.-]+/\S+$"


class AgentParameters(BaseModel):
    """Parameters of a single model or a firm. What is None is left to the provider's default and not sent.

    `analyst_model` is the cheap model of a firm's analysts; None: they use the agent's own.
    `tries_max` bounds the tries of one call after passing errors, `call_timeout_s` the time of each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    effort: Literal["minimal", "low", "medium", "high"] | None = None
    max_output_tokens: int = Field(default=4_000, ge=64, le=100_000)
    call_timeout_s: float = Field(default=180.0, gt=0, le=1_800)
    tries_max: int = Field(default=2, ge=1, le=5)
    api_base: str | None = Field(default=None, max_length=200)
    analyst_model: str | None = Field(default=None, pattern=MODEL_STRING, max_length=120)
    analysts_quorum: int = Field(default=2, ge=0, le=3)

    @model_validator(mode="after")
    def api_base_is_an_address(self) -> Self:
        if self.api_base and not self.api_base.startswith(("http://", "https://")):
            raise ValueError("api_base must begin with https:// or http://")
        if self.api_base and any(sign in self.api_base for sign in "@?#"):
            raise ValueError("api_base is public: it may hold no user, no password and nothing behind ? or #")
        return self
