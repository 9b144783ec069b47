"""The ways in which genuine replies of models were broken, in our shape, and what we make of each.

Every row stands for one reply of a collection that is not part of this repository; the sentences here are our own.
Where the collection lies beside the repository, its replies are read too, as they are.
"""
# ruff: noqa: E501 - one row per reply, one line per row

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from agents.core.reply import ReplySchema, parse_reply
from portfolio.core.decisions import Action, Bounds, Decision, Limits, violations_of

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT.parent / "shared" / "data" / "llm_replies.jsonl"
beside = pytest.mark.skipif(not COLLECTION.exists(), reason="the collection of replies is not beside this repository")
BOUNDS = Bounds(Limits(max_weight=Decimal("0.6")), frozenset({"BTCUSDT", "ETHUSDT", "SOLUSDT"}), "USDT", {})

BUY = '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4}}'
HOLD = '{"action": "hold"}'
BOUGHT, HELD = (
    Decision(Action.REBALANCE, {"BTCUSDT": Decimal("0.4")}),
    Decision(Action.HOLD),
)
ACCEPT, UNWRAP, REFUSE = "accept", "repair", "reject"  # as the collection calls them

# id of the reply in the collection, the same breakage in our shape, what we do with it
CASES = [
    ("nofx-fullwidth-object", '［｛"action"："rebalance"，"allocations"：｛"BTCUSDT"：0.4｝｝］', UNWRAP),
    ("nofx-single-object-not-array", f"[{BUY}]", UNWRAP),
    ("nofx-macd-array-in-prose", f"**第3步**：MACD序列：[-10.5, -12.25, -9]\n\n```json\n[{BUY}]\n```", UNWRAP),
    ("nofx-array-of-numbers-only", "[-10.5, -12.25, -9]", REFUSE),
    ("nofx-reasoning-only", "各币种都在震荡，方向不明，先看看再说。", REFUSE),
    ("nofx-empty-fence", "**决定**：买入比特币，控制风险。\n\n```json\n```", REFUSE),
    ("nofx-unknown-action", '{"action": "update_stop_loss", "allocations": {"BTCUSDT": 0.4}}', REFUSE),
    ("nofx-zero-leverage", '{"action": "rebalance", "allocations": {"BTCUSDT": -0.4}}', REFUSE),
    ("nofx-size-over-limit", '{"action": "rebalance", "allocations": {"SOLUSDT": 0.9}}', REFUSE),
    ("nofx-range-tilde", '{"action": "rebalance", "allocations": {"BTCUSDT": 0.3~0.5}}', REFUSE),
    ("nofx-thousands-separator", '{"action": "rebalance", "allocations": {"BTCUSDT": 0,400}}', REFUSE),
    ("nofx-reasoning-decision-tags", f"<reasoning>\nAbove its average.\n</reasoning>\n<decision>\n```json\n[\n{BUY}\n]\n```\n</decision>", UNWRAP),
    ("oakshen-map-by-symbol", '{"BTC/USDT": {"action": "HOLD", "rationale": "动能偏弱（EMA20<EMA50）；观望"}}', REFUSE),
    ("aitrader-tool-args-string", '{"query": "what happened to bitcoin this week"}', REFUSE),
    ("babylon-think-cut", "<think>\nI hold 10000 USDT, the RSI is 61, so perhaps I should", REFUSE),
    ("babylon-think-then-json", f"<think>\nOption A is {HOLD}, too timid.\n</think>\n{BUY}", UNWRAP),
    ("vibe4trading-truncated", '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4}, "confidence": 0.6', REFUSE),
    ("vibe4trading-ok", BUY, ACCEPT),
    ("tradingagents-markdown-rating", "**Rating**: Buy\n\n**Summary**: enter at 40,000 with 6% of the portfolio.", REFUSE),
    ("tradingagents-final-proposal", "Both sides weigh the same.\n\nFINAL TRANSACTION PROPOSAL: **HOLD**", REFUSE),
    ("alpaca-refusal", "I do not make investment decisions, whatever tools there are.", REFUSE),
    ("vibe-verdict-line", "VERDICT: BUY CONFIDENCE: 6 REASON: the price is above its 50-day aver", REFUSE),
    ("deepseek-v3-tool-tokens", f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>submit_decision\n```json\n{BUY}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", UNWRAP),
    ("deepseek-dsml-block", '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="quotes">\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>', REFUSE),
    ("deepseek-dsml-tail", f"{BUY}<｜DSML｜function_calls", UNWRAP),
    ("deepseek-json-prefix", f"json\n{BUY}", UNWRAP),
    ("deepseek-dsml-variant-bars", '<‖DSML‖tool_calls><‖DSML‖invoke name="quotes">', REFUSE),
    ("harmony-channels", f"<|channel|>analysis<|message|>Which weights?<|end|><|start|>assistant<|channel|>final<|message|>{BUY}", UNWRAP),
    ("harmony-commentary", f"<|channel|>commentary to=functions.submit <|constrain|>json<|message|>{BUY}<|call|>", UNWRAP),
    ("harmony-assistantfinal", "We have to state a decision. Let us do so.assistantfinalBuy bitcoin, and sell it later.", REFUSE),
    ("gemini-malformed-call-empty", "", REFUSE),
    ("gemini-print-default-api", 'print(default_api.Decision(action="rebalance"', REFUSE),
    ("qwen-stray-tool-json", '{"name": "rebalance", "arguments": {"name": "none"}}', REFUSE),
    ("qwen-tool-args-as-text-array", '[{"name": "quotes", "symbol": "BTCUSDT"}, {"name": "news", "symbol": "BTCUSDT"}]', REFUSE),
    ("smolagents-code-suffix", f"{BUY}</code>", UNWRAP),
    ("dify-trailing-citation", f"```json\n{BUY}\n```\nMore in the [brief].", UNWRAP),
    ("redis-fenced", f"```json\n{BUY}\n```", UNWRAP),
    ("hindsight-fence-in-string", '{"action": "hold", "rationale": "```why```"}', ACCEPT),
    ("hindsight-empty-fence", "```json\n```", REFUSE),
    ("jsonrepair-01", "{'action': 'rebalance', 'allocations': {\"BTCUSDT\": most}}", REFUSE),
    ("jsonrepair-02", '{"action": "hold", "confidence": 0.5, "rationale": "nothing has', REFUSE),
    ("jsonrepair-03", '{“action”: "hold"}', REFUSE),
    ("jsonrepair-04", '{"action": "hold, "rationale": "quiet"}', REFUSE),
    ("jsonrepair-05", '[{"action": "hold", NOTE "rationale": "a "quiet", dull week." }]', REFUSE),
    ("jsonrepair-06", '{"action": hold "rationale" : "quiet" ', REFUSE),
    ("jsonrepair-07", '{"action": "hold", "rationale": "q"uiet"}', REFUSE),
    ("jsonrepair-08", '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4 // most }, "rationale": "rise" }', REFUSE),
    ("jsonrepair-09", '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4 /* most */ }}', REFUSE),
    ("jsonrepair-10", f"/* decision */ {BUY}", UNWRAP),
    ("jsonrepair-11", '{"action": "rebalance", "allocations": {"BTCUSDT": 1/3}}', REFUSE),
    ("jsonrepair-12", '{"action": "rebalance", "allocations": {"BTCUSDT": .4}}', REFUSE),
    ("jsonrepair-13", '{"action": "rebalance", "allocations": {"BTCUSDT": 10-20}}', REFUSE),
    ("jsonrepair-14", '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4.1}}', REFUSE),
    ("jsonrepair-15", '{"action": "rebalance", "allocations": {"BTCUSDT": 1. }}', REFUSE),
    ("jsonrepair-16", '{"action": "rebalance", "allocations": {"BTCUSDT": 0_4}}', REFUSE),
    ("jsonrepair-17", '{"action": "hold", "allocations": Null}   ', REFUSE),
    ("jsonrepair-18", "From all this follows the decision: ```json { 'action': 'hold' } ```", REFUSE),
    ("jsonrepair-19", f"first ```json {BUY} ``` then ```json [1,2,3,True] ``` 42", REFUSE),
    ("jsonrepair-20", f"{BUY}, {HOLD}", REFUSE),
    ("jsonrepair-22", f"````{BUY}```", UNWRAP),
    ("jsonrepair-23", '{"action": ""hold"}', REFUSE),
    ("jsonrepair-24", "{'action':'hold','rationale':'统一码'}", REFUSE),
    ("jsonrepair-25", '{"action": "hold", "confidence": 0.5, "rationale": }', REFUSE),
]  # fmt: skip

# Where we refuse what the collection calls repairable; docs/replies.md says why.
STRICTER = {
    *("oakshen-map-by-symbol", "jsonrepair-03", "jsonrepair-09", "jsonrepair-12"),
    *("jsonrepair-15", "jsonrepair-17", "jsonrepair-18", "jsonrepair-24"),
}


def genuine() -> list[dict[str, str]]:
    return [json.loads(line) for line in COLLECTION.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("text", "ruling"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_kind_of_breakage_gets_its_ruling(text: str, ruling: str) -> None:
    parsed = parse_reply(text)
    if ruling == REFUSE:
        assert parsed.violations or violations_of(parsed.decision, BOUNDS)
        return
    assert parsed.decision in (BOUGHT, HELD, Decision(Action.HOLD, rationale="```why```")), parsed.violations
    assert not violations_of(parsed.decision, BOUNDS)
    assert bool(parsed.unwrapped) == (ruling == UNWRAP)


@beside
def test_every_reply_of_the_collection_has_its_case_and_we_are_never_laxer() -> None:
    wanted = {reply["id"]: reply["outcome"] for reply in genuine()}
    ours = {case: ruling for case, _, ruling in CASES}
    assert ours.keys() == wanted.keys()
    differing = {case: (wanted[case], ruling) for case, ruling in ours.items() if ruling != wanted[case]}
    assert differing == dict.fromkeys(STRICTER, (UNWRAP, REFUSE))


@beside
def test_no_genuine_reply_to_another_question_is_read_as_a_decision() -> None:
    replies = genuine()
    assert len(replies) == 63
    read = {reply["id"]: parse_reply(reply["raw"]) for reply in replies}
    assert {case for case, parsed in read.items() if parsed.decision is not None or not parsed.violations} == set()


@beside
def test_the_documented_counts_are_those_of_the_cases() -> None:
    told = (ROOT / "docs" / "replies.md").read_text(encoding="utf-8")
    ours = {case: ruling for case, _, ruling in CASES}
    kinds: dict[str, Counter[str]] = {}
    for reply in genuine():
        kinds.setdefault(reply["category"], Counter())[ours[reply["id"]]] += 1
    for kind, counts in kinds.items():
        assert f"| {kind} | {counts[ACCEPT]} | {counts[UNWRAP]} | {counts[REFUSE]} |" in told
    total = Counter(ours.values())
    assert f"| **all 63** | {total[ACCEPT]} | {total[UNWRAP]} | {total[REFUSE]} |" in told
    assert all(f"`{case}`" in told for case in STRICTER)


def test_the_documented_schema_is_the_one_that_validates() -> None:
    told = (ROOT / "docs" / "replies.md").read_text(encoding="utf-8")
    schema = json.dumps(ReplySchema.model_json_schema(), indent=2)
    assert f"```json\n{schema}\n```" in told, "put this schema into docs/replies.md:\n" + schema
