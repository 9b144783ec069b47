"""What a child told of its job, put together to an answer, also when the child was killed on the way."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from agents.children import Ending
from agents.contract import CALLS_BYTES_MAX, DecideResponse, PreflightResponse
from agents.core.calls import CallRecord, ErrorClass
from agents.core.records import cut_note, fit

logger = logging.getLogger(__name__)

DELIBERATION_BYTES_MAX = CALLS_BYTES_MAX // 4
WHY_NONE = {
    Ending.ENDED: "the process that asked the model ended without an answer",
    Ending.TOO_MUCH: "the process that asked the model said too much and was ended",
    Ending.NOT_STARTED: "the runner had no process free in time; nothing was asked",
}


class Transcript:
    """Listens to one child, whose every line is given to `take`. `monotonic` tells the time in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._answer: Mapping[str, Any] | None = None
        self._tries: dict[str, dict[str, Any]] = {}
        self._began: dict[str, float] = {}

    def take(self, line: bytes) -> None:
        event = json.loads(line)
        if "try" in event:
            self._began.setdefault(event["try"], self._monotonic())
            self._tries.setdefault(event["try"], {}).update(event["fields"])
        elif "answer" in event:
            self._answer = event["answer"]
        else:
            logger.error("a child failed:\n%s", event["trouble"])

    def calls(self) -> tuple[CallRecord, ...]:
        """The record of every try, in the order in which they began; one under way lasted until now."""
        for key, fields in self._tries.items():
            if fields["error_class"] == ErrorClass.KILLED:
                fields["latency_ms"] = round((self._monotonic() - self._began[key]) * 1000)
        return tuple(CallRecord.model_validate(fields) for fields in self._tries.values())

    def decided(self, run_token: str, ending: Ending, seconds: float) -> DecideResponse:
        """The response to a question that was to be answered within `seconds`."""
        answer = self._answer or {"reply": None, "reason": self._why_none(ending, seconds)}
        deliberation, size = _cut(answer.get("deliberation"))
        return DecideResponse(
            run_token=run_token,
            reply=answer["reply"],
            reason=answer["reason"][:300],
            truncated=answer.get("truncated", False),
            calls=fit(self.calls(), CALLS_BYTES_MAX - size),
            deliberation=deliberation,
        )

    def examined(self, ending: Ending, seconds: float) -> PreflightResponse:
        """The response to a preflight; a child without an answer is a finding itself."""
        reason = self._why_none(ending, seconds)
        answer = self._answer or {"findings": [{"check": "runner", "ok": False, "detail": reason}]}
        return PreflightResponse.model_validate({**answer, "calls": fit(self.calls(), CALLS_BYTES_MAX)})

    def _why_none(self, ending: Ending, seconds: float) -> str:
        return WHY_NONE.get(ending, f"no reply within {seconds:.3g} s")


def _cut(deliberation: Mapping[str, Any] | None) -> tuple[dict[str, Any] | None, int]:
    """A deliberation as it is sent, and its size in bytes of JSON; one that is too large is only noted."""
    if deliberation is None:
        return None, 0
    text = json.dumps(deliberation)
    if len(text) <= DELIBERATION_BYTES_MAX:
        return dict(deliberation), len(text)
    return {"cut": cut_note(text)}, 0
