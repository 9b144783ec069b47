"""From text to a decision: what loses nothing is unwrapped, and nothing is ever completed, invented or changed."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.baselines import rebalance_text
from agents.core.reply import (
    RATIONALE_CHARACTERS_MAX,
    REPLY_BYTES_MAX,
    SYMBOLS_MAX,
    VIOLATIONS_MAX,
    ReplySchema,
    parse_reply,
)
from agents.core.text import storable
from portfolio.core.decisions import Action, Bounds, Decision, Limits, violations_of
from tests.notation import HOLD, D, R, W, many, some

BUY = '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4}}'
SELL = '{"action": "rebalance", "allocations": {"USDT": 1}}'
HELD = Decision(Action.HOLD)
BOUGHT = Decision(Action.REBALANCE, W("BTC 40%"))


def why(text: str) -> str:
    """Why a text was refused; fails when it was not."""
    parsed = parse_reply(text)
    assert parsed.decision is None, f"read as {parsed.decision}"
    assert parsed.violations
    return "; ".join(violation.detail for violation in parsed.violations)


def allocating(weight: str) -> str:
    return f'{{"action": "rebalance", "allocations": {{"BTCUSDT": {weight}}}}}'


# What is read


@pytest.mark.parametrize(
    ("text", "unwrapped"),
    [
        (BUY, ()),
        (f"  \n{BUY}\t\n", ()),
        (f"\ufeff{BUY}", ("byte-order mark",)),
        (json.dumps(BUY), ("JSON string",)),
        (f"```json\n{BUY}\n```", ("code fence",)),
        (f"```\n{BUY}```", ("code fence",)),
        (f"```JSON  \r\n{BUY}\r\n```", ("code fence",)),
        (f"Here you are:\n\n```json\n{BUY}\n```\nGood luck with [it].", ("code fence",)),
        (f"<think>BTC looks {{good}}. {SELL}</think>\n{BUY}", ("thinking block",)),
        (f"<thinking>a</thinking><think>b</think>{BUY}", ("thinking block",)),
        (f"I have decided. {BUY} That is all.", ("prose around the object",)),
        (f"Of {{BTC, ETH}} I take the first: {BUY}", ("prose around the object",)),
        (f"json\n{BUY}", ("prose around the object",)),
        (f"{BUY}<｜DSML｜function_calls", ("prose around the object",)),
        (
            f"\ufeff<think>hm</think>Well:\n```json\n{BUY}\n```",
            ("byte-order mark", "thinking block", "code fence"),
        ),
    ],
)
def test_a_wrapper_that_carries_nothing_is_peeled_off_and_recorded(text: str, unwrapped: tuple[str, ...]) -> None:
    parsed = parse_reply(text)
    assert parsed.decision == BOUGHT, parsed.violations
    assert parsed.unwrapped == unwrapped


@pytest.mark.parametrize(
    "text",
    [HOLD, '{"action": "hold", "allocations": null}', '{"action": "hold", "allocations": {}, "confidence": null}'],
)
def test_a_hold_needs_nothing_more(text: str) -> None:
    assert parse_reply(text).decision == HELD


def test_everything_said_is_kept() -> None:
    said = '{"action":"hold","confidence":0.70,"rationale":"```x``` ｛“ü”｝ \\u6f22 {\\"action\\": \\"rebalance\\"}"}'
    decision = Decision(Action.HOLD, {}, D("0.70"), '```x``` ｛“ü”｝ 漢 {"action": "rebalance"}')
    assert parse_reply(said).decision == decision


def test_weights_are_exact_decimals_of_the_text() -> None:
    assert parse_reply(allocating("0.1000000000000000055511151231")).decision.weights == {
        "BTCUSDT": D("0.1000000000000000055511151231")
    }
    assert parse_reply(allocating("4e-1")).decision.weights == W("BTC 40%")
    assert parse_reply(allocating("1")).decision.weights == W("BTC 100%")


def test_what_the_rules_can_name_is_left_to_the_rules() -> None:
    for weight in ("-0.5", "1.2", "1000"):
        assert parse_reply(allocating(weight)).decision.weights == {"BTCUSDT": D(weight)}


@pytest.mark.parametrize(
    "symbol", ["ВTCUSDT", "btcusdt", "BTCUSDT ", "BTCUSDT\n", "BTC/USDT", "", "ＢＴＣＵＳＤＴ", "BTCUPUSDT", "entry-02"]
)
def test_a_symbol_is_read_as_written_and_never_mended(symbol: str) -> None:
    decision = parse_reply(rebalance_text({symbol: D("0.4")}, "")).decision
    assert list(decision.weights) == [symbol]
    bounds = Bounds(Limits(), frozenset({"BTCUSDT"}), "USDT", {})
    assert [v.rule for v in violations_of(decision, bounds)] == ["symbols_are_listed"]


# What is refused


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_number_is_refused_by_name(weight: str) -> None:
    assert why(allocating(weight)) == f"the reply is not valid JSON: {weight} is not a number"


@pytest.mark.parametrize("weight", ["1e999", "-1e999", "1e999999999", "1e-999999999", "1e999999999999999999"])
def test_a_number_beyond_all_measure_is_refused(weight: str) -> None:
    assert why(allocating(weight)).startswith("allocations.BTCUSDT: Decimal input")


@pytest.mark.parametrize("weight", ["1e9999999999999999999", "1e-9999999999999999999", "0e9999999999999999999"])
def test_a_number_whose_exponent_has_twenty_digits_is_refused(weight: str) -> None:
    assert why(allocating(weight))


@pytest.mark.parametrize(
    "weight", ['"0.4"', '"40%"', '"0x10"', '"１"', "true", "false", "null", "[0.4]", '{"is": 0.4}']
)
def test_only_a_number_is_a_weight(weight: str) -> None:
    assert "allocations.BTCUSDT: " in why(allocating(weight))


@pytest.mark.parametrize(
    "weight", ["40%", ".4", "4.", "0,4", "0_4", "1/3", "0.3-0.5", "0x1", "+0.4", "0.4.1", "04", "１"]
)
def test_a_number_json_does_not_know_is_refused(weight: str) -> None:
    assert why(allocating(weight)).startswith(("the reply is not valid JSON: ", "action: Field required"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"action": "hold", "allocations": {"BTCUSDT": 0.4}}', "a hold carries no allocations"),
        ('{"action": "rebalance"}', "a rebalance needs allocations"),
        ('{"action": "rebalance", "allocations": {}}', "a rebalance needs allocations"),
        ('{"action": "rebalance", "allocations": null}', "a rebalance needs allocations"),
        ('{"allocations": {"BTCUSDT": 0.4}}', "action: Field required"),
        ('{"action": "buy", "allocations": {"BTCUSDT": 0.4}}', "action: Input should be 'hold' or 'rebalance'"),
        ('{"action": "HOLD"}', "action: Input should be"),
        ('{"action": null}', "action: Input should be"),
        ('{"action": ["hold"]}', "action: Input should be"),
        ('{"action": "hold", "leverage": 3}', "leverage: Extra inputs are not permitted"),
        (
            '{"action": "hold", "orders": [], "api_base": "http://x"}',
            "orders: Extra inputs are not permitted; api_base",
        ),
        ('{"action": "hold", "tool_calls": [{"shell": "ls"}], "sql": ";--"}', "tool_calls: Extra inputs"),
        (allocating("0." + "1" * 31), "allocations.BTCUSDT: Decimal input should have no more than 30 decimal places"),
        ('{"Action": "hold"}', "action: Field required"),
        ('{"action": "hold", "confidence": 1.01}', "confidence: "),
        ('{"action": "hold", "confidence": -0.01}', "confidence: "),
        ('{"action": "hold", "confidence": "high"}', "confidence: "),
        ('{"action": "hold", "confidence": true}', "confidence: "),
        ('{"action": "hold", "rationale": null}', "rationale: "),
        ('{"action": "hold", "rationale": 7}', "rationale: "),
        ('{"action": "rebalance", "allocations": [0.4]}', "allocations: "),
        ('{"action": "rebalance", "allocations": "BTCUSDT"}', "allocations: "),
        ('{"decision": {"action": "hold"}}', "action: Field required"),
        ('{"action": "hold", "action": "hold"}', "a key appears twice"),
        ('{"action": "hold", "\\u0061ction": "hold"}', "a key appears twice"),
        ('{"action": "rebalance", "allocations": {"BTCUSDT": 0.4, "BTCUSDT": 0.4}}', "a key appears twice"),
        (f"{BUY} {SELL}", "2 JSON objects; which one counts is not clear"),
        (f"{BUY}, {BUY}", "2 JSON objects"),
        (f"```json\n{BUY}\n```\n```json\n{SELL}\n```", "2 JSON objects"),
        (f"Either {BUY} or {HOLD}.", "2 JSON objects"),
        (f'{{"price": 1}} so {BUY}', "2 JSON objects"),
        ("{'action': 'hold'}", "not valid JSON"),
        ('{"action": "hold",}', "not valid JSON"),
        ('{"action": "hold"', "not valid JSON"),
        ('{"action": "hold", "rationale": "cut he', "not valid JSON"),
        ('{"action": hold}', "not valid JSON"),
        ('{"action": "hold" /* for now */}', "not valid JSON"),
        ("{}", "action: Field required"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_the_reason(text: str, complaint: str) -> None:
    assert complaint in why(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "\ufeff",
        "null",
        "[]",
        '"hold"',
        "0.4",
        "hold",
        "HOLD",
        "I'm sorry, but I can't help with investment decisions.",
        "FINAL TRANSACTION PROPOSAL: **HOLD**",
        "```json\n```",
        "```json\n[0.4, 0.3]\n```",
    ],
)
def test_a_text_without_an_object_is_no_hold_and_no_trade(text: str) -> None:
    assert why(text) == "the reply holds no JSON object"


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = why('{"action": "buy", "confidence": 2, "mood": 1, "allocations": {"BTCUSDT": "1"}}')
    assert [part.split(":")[0] for part in said.split("; ")] == ["action", "allocations.BTCUSDT", "confidence", "mood"]


def test_sixty_four_kibibytes_are_read_and_one_byte_more_is_not() -> None:
    room = REPLY_BYTES_MAX - len(BUY)
    assert parse_reply(BUY + " " * room).decision == BOUGHT
    assert why(BUY + " " * (room + 1)) == "the reply is longer than 65536 bytes"
    assert why("ü" * 32_769) == "the reply is longer than 65536 bytes"
    assert "holds no JSON object" in why("ü" * 32_768)


def test_more_names_than_any_season_lists_are_refused_at_once() -> None:
    listed = {f"C{n}USDT": D("0.01") for n in range(SYMBOLS_MAX)}
    assert parse_reply(rebalance_text(listed, "")).decision
    assert "names 101 symbols; at most 100 are read" in why(rebalance_text({**listed, "BTCUSDT": D(0)}, ""))
    assert "a symbol's name is longer than 100" in why(rebalance_text({"B" * 101: D(0)}, ""))


def test_of_thousands_of_faults_the_first_twenty_are_told_and_the_rest_counted() -> None:
    parsed = parse_reply(json.dumps({"action": "hold", **{f"field {n} " + "x" * 100: 0 for n in range(500)}}))
    assert len(parsed.violations) == VIOLATIONS_MAX + 1
    assert parsed.violations[-1].detail == "and 480 more of the kind"
    assert all(len(violation.detail) < 150 for violation in parsed.violations)


def test_a_rationale_has_its_length() -> None:
    assert parse_reply(json.dumps({"action": "hold", "rationale": "ü" * RATIONALE_CHARACTERS_MAX})).decision
    assert "rationale: " in why(json.dumps({"action": "hold", "rationale": "ü" * (RATIONALE_CHARACTERS_MAX + 1)}))


@pytest.mark.parametrize("opening", ["[", '{"a":[', '{"action":"hold","rationale":[['])
def test_a_hundred_thousand_brackets_are_refused(opening: str) -> None:
    assert why(opening * 100_000)
    assert why(opening + "[" * 60_000)


# What must never become a trade

reply_texts = st.one_of(
    st.just(HOLD),
    st.builds(
        rebalance_text,
        st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT", "USDT", "漢"]), st.decimals(0, 1, places=4), min_size=1),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.just('{} {"action": "hold"} ```json\n'),
    ),
)


@many
@given(reply_texts, st.data())
def test_a_reply_that_breaks_off_is_never_a_decision(text: str, data: st.DataObject) -> None:
    why(text[: data.draw(st.integers(0, len(text) - 1))])


@many
@given(
    reply_texts,
    st.sampled_from(["{}", "```json\n{}\n```", "So: {}\nDone.", "\ufeff{}", "<think>I {{think}} so</think>\n{}"]),
    st.data(),
)
def test_a_wrapped_reply_that_breaks_off_is_the_whole_decision_or_none(
    text: str, wrapper: str, data: st.DataObject
) -> None:
    whole = wrapper.format(text)
    cut = parse_reply(whole[: data.draw(st.integers(0, len(whole)))]).decision
    assert cut is None or cut == parse_reply(text).decision


@pytest.mark.parametrize(
    "text",
    [
        f"<think>Option A is {BUY}, but the risk",
        f'{{"before": {BUY}, "after": {{"action": "hold"',
        f'[{BUY}, {{"action": "ho',
        f'{BUY}\nNo, wait:\n{{"action": "hold", "rationale": "too ri',
        f'```json\n{BUY}\n```\nOn reflection:\n```json\n{{"action": "ho',
    ],
    ids=["thinking", "outer object", "list", "second object", "second fence"],
)
def test_a_draft_in_a_reply_that_broke_off_is_no_decision(text: str) -> None:
    why(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Okay. <think>Option A is {BUY}, but the risk",
        f"<THINK>Option A is {BUY}, but the risk",
        f"<reasoning>Option A is {BUY}, but the risk",
        f"<|channel|>analysis<|message|>Perhaps {BUY}<|end|><|start|>assistant<|channel|>fin",
        f'First {BUY}, and finally: [{{"acti',
        f'First {BUY}, and finally: ｛"action"："hold"｝',
        f"First {BUY}, and finally: {{action: hold}}",
    ],
    ids=["thought behind prose", "upper case", "reasoning", "channel", "list", "full width", "without quotes"],
)
def test_a_draft_before_something_that_cannot_be_read_is_no_decision(text: str) -> None:
    why(text)


@pytest.mark.parametrize("text", [f"{BUY}\n```json\n{HOLD}\n```", f"```json\n{BUY}\n```\nNo: {HOLD}"])
def test_an_object_beside_a_code_fence_makes_it_unclear_which_one_counts(text: str) -> None:
    assert "2 JSON objects" in why(text)


def test_an_object_with_a_huge_number_beside_another_makes_it_unclear_which_one_counts() -> None:
    assert why(f"{allocating('1' * 5000)} {HOLD}")


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        (
            '{"action": "hold", "rationale": "a<think>b</think>c"}',
            Decision(Action.HOLD, {}, None, "a<think>b</think>c"),
        ),
        (
            '{"action": "rebalance", "allocations": {"BTC<think>USDT": 0.1, "ETH</think>USDT": 0.9}}',
            Decision(Action.REBALANCE, {"BTC<think>USDT": D("0.1"), "ETH</think>USDT": D("0.9")}),
        ),
    ],
)
def test_a_tag_inside_a_string_is_part_of_the_string(text: str, decision: Decision) -> None:
    assert parse_reply(text).decision == decision


@pytest.mark.parametrize(
    "text",
    [
        '{"action": "hold", "rationale": "a\\u0000b"}',
        '{"action": "rebalance", "allocations": {"\\u0000": 0.4}}',
        '{"action": "rebalance", "allocations": {"\\ud800": 0.4}}',
    ],
)
def test_a_decision_can_be_stored(text: str) -> None:
    decision = parse_reply(text).decision
    said = [] if decision is None else [decision.rationale, *decision.weights]
    assert [storable(part) for part in said] == said


pieces = st.sampled_from(
    [HOLD, BUY, "{", "}", '"', "\\", "```json\n", "```", "<think>", "</think>", "\ufeff", "NaN", "\ud800",
     "\x00", '"\\ud800"', '"action"', ":", ",", "[", "]", "1" * 5000, "null", "true", "｛"]
)  # fmt: skip
any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=100)


@many
@given(any_text | st.lists(pieces | any_text, max_size=12).map("".join))
def test_no_text_whatever_is_more_than_refused(text: str) -> None:
    parsed = parse_reply(text)
    assert (parsed.decision is None) == bool(parsed.violations)


@some
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_json_of_any_other_shape_is_no_decision(value: object) -> None:
    why(json.dumps(value))


def test_the_schema_that_prompts_are_made_of_is_the_one_that_validates() -> None:
    schema = ReplySchema.model_json_schema()
    assert list(schema["properties"]) == ["action", "allocations", "confidence", "rationale"]
    assert schema["properties"]["action"]["enum"] == ["hold", "rebalance"]
    assert schema["additionalProperties"] is False
    weights = schema["properties"]["allocations"]["anyOf"][0]["additionalProperties"]
    assert weights == {"type": "number", "minimum": -1000, "maximum": 1000}  # a text is no weight
    assert parse_reply(R("BTC 40%", "why")).decision == Decision(
        Action.REBALANCE, {"BTCUSDT": Decimal("0.4")}, None, "why"
    )
