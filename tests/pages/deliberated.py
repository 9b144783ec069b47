"""A firm's deliberation in the form its record has, with one analyst missing and a risk manager who cuts."""

from typing import Any

from agents.core.calls import ErrorClass, Usage
from tests.pages.seasons import HARM

# role, usage, what went wrong, seconds after the first, seconds it took
CALLED = (
    ("technical", Usage(prompt=2_100, completion=310), "", 0.0, 6.2),
    ("sentiment", None, ErrorClass.SERVER_ERROR, 0.0, 1.1),
    ("tokenomics", None, ErrorClass.TIMEOUT, 0.0, 9.9),
    ("sentiment", Usage(prompt=2_000, completion=280, cached=500), "", 2.2, 5.5),
    ("researcher", Usage(prompt=3_300, completion=700, reasoning=400), "", 9.9, 8.0),
    ("trader", Usage(prompt=5_200, completion=900, reasoning=500), "", 17.9, 9.5),
    ("risk", Usage(prompt=4_100, completion=420), "", 27.4, 7.1),
)


def deliberation() -> dict[str, Any]:
    return {
        "quorum": 2,
        "analysts_used": 2,
        "missing": {"tokenomics": "no complete reply within 10 seconds"},
        "dissent": {"SOLUSDT": {"technical": "0.6", "sentiment": "-0.4"}},
        "diff": {"BTCUSDT": ["0.5", "0.35"], "SOLUSDT": ["0.3", "0"]},
        "roles": {
            "technical": _role("analyst", _report({"BTCUSDT": "0.3", "SOLUSDT": "0.6"}, f"Trend is up. {HARM}")),
            "sentiment": _role("analyst", _report({"BTCUSDT": "0.1", "SOLUSDT": "-0.4"}, "Funding is hot.")),
            "tokenomics": {
                "tier": "analyst",
                "prompt": "v1",
                "status": "no answer",
                "why": "no complete reply within 10 seconds",
                "asked": 1,
                "output": None,
            },
            "researcher": _role(
                "desk",
                {
                    "thesis": "Bitcoin carries the market; Solana is disputed.",
                    "views": [
                        {"symbol": "BTCUSDT", "stance": "0.25", "why": "both see it rise"},
                        {"symbol": "SOLUSDT", "stance": "0.1", "why": HARM},
                    ],
                    "dissent": [{"analysts": ["technical", "sentiment"], "about": "whether Solana is overbought"}],
                },
            ),
            "trader": _role(
                "desk",
                {
                    "action": "rebalance",
                    "allocations": {"BTCUSDT": "0.5", "SOLUSDT": "0.3", "USDT": "0.2"},
                    "confidence": "0.7",
                    "rationale": "Follow the trend, keep a fifth in cash.",
                },
            ),
            "risk": _role(
                "desk",
                {"ruling": "reduce", "allocations": {"BTCUSDT": "0.35"}, "rationale": "Too much on a disputed view."},
            ),
        },
    }


def _role(tier: str, output: dict[str, Any]) -> dict[str, Any]:
    return {"tier": tier, "prompt": "v1", "status": "used", "why": "", "asked": 1, "output": output}


def _report(stances: dict[str, str], summary: str) -> dict[str, Any]:
    return {"stances": stances, "confidence": "0.6", "summary": summary, "missing": ["order book depth"]}
