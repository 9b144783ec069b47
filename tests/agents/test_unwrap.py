"""Which wrappers are peeled off a reply, and when it is not clear what counts. `docs/replies.md` tells the rules."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.reply import REPLY_BYTES_MAX, parse_reply
from agents.core.unwrap import Unreadable, full_width_to_ascii, unwrap
from portfolio.core.decisions import Action, Decision
from tests.notation import HOLD, W, many

BUY = '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4}}'
SELL = '{"action": "rebalance", "allocations": {"USDT": 1}}'
BOUGHT = Decision(Action.REBALANCE, W("BTC 40%"))
PROSE, THOUGHT, FENCE, WIDE = "prose around the object", "thinking block", "code fence", "full-width punctuation"

SUBMIT = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>submit_decision\n```json\n{}\n```"
ANALYSIS = "<|channel|>analysis<|message|>Perhaps {}.<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"


def why(text: str) -> str:
    parsed = parse_reply(text)
    assert parsed.decision is None, f"read as {parsed.decision}"
    return "; ".join(violation.detail for violation in parsed.violations)


@pytest.mark.parametrize(
    ("text", "unwrapped"),
    [
        # thoughts, under whatever name
        (f"<reasoning>\nPerhaps {SELL}\n</reasoning>\n<decision>\n```json\n{BUY}\n```\n</decision>", (THOUGHT, FENCE)),
        (f"<THINK>{SELL}</think>{BUY}", (THOUGHT,)),
        (f"<analysis>a</analysis><reflection>b</reflection>{BUY}", (THOUGHT,)),
        (f"Let me see. <think>{SELL}</think> So: {BUY}", (PROSE, THOUGHT)),
        # the thought was opened in the prompt
        (f"It's 5 {{or so}}, maybe {SELL}. No.\n</think>\n\n{BUY}", (THOUGHT,)),
        (f"</think>{BUY}", (THOUGHT,)),
        ('It fell [-1, -2].</think>{"action": "rebalance", "allocations": {"BTCUSDT": 0.4}}', (THOUGHT,)),
        # harmony
        (ANALYSIS.format(SELL) + FINAL + BUY + "<|return|>", (THOUGHT, "final channel", PROSE)),
        (f"<|channel|>final <|constrain|>json<|message|>{BUY}", ("final channel",)),
        (
            f"<|channel|>commentary to=functions.submit <|constrain|>json<|message|>{BUY}<|call|>",
            ("call of the submit tool", PROSE),
        ),
        (f"analysisSell or buy?assistantfinal{BUY}", (PROSE,)),
        # leaked control tokens
        (SUBMIT.replace("{}", BUY) + "<｜tool▁call▁end｜><｜tool▁calls▁end｜>", ("call of the submit tool", FENCE)),
        (f"{BUY}<｜DSML｜function_calls", (PROSE,)),
        (f"{BUY}<|im_end|>", (PROSE,)),
        # other JSON that is no decision
        (f"The last closes: [1.5, -2, 3].\n```json\n{BUY}\n```", (FENCE,)),
        (f"{BUY}\nSee [docs] and {{BTC, ETH}}.", (PROSE,)),
        # containers and encodings
        (f"[{BUY}]", ("list of one",)),
        (f"```json\n[\n{BUY}\n]\n```", (FENCE, "list of one")),
        (json.dumps(f"[{BUY}]"), ("JSON string", "list of one")),
        ('［｛"action"："rebalance"，"allocations"：｛"BTCUSDT"：0.4｝｝］', (WIDE, "list of one")),
        ('{"action"："rebalance"，\u3000"allocations"：｛"BTCUSDT": 0.4｝}', (WIDE,)),
        (json.dumps('｛"action"："rebalance"，"allocations"：｛"BTCUSDT"：0.4}}'), ("JSON string", WIDE)),
        (f'See [1]: ｛{BUY[1:-2].replace("{", "｛")}｝｝', (PROSE, WIDE)),
        (f"````{BUY}```", (FENCE,)),
        (f"/* my choice */ {BUY}", (PROSE,)),
    ],
)  # fmt: skip
def test_a_wrapper_that_leaves_no_doubt_is_peeled_off(text: str, unwrapped: tuple[str, ...]) -> None:
    parsed = parse_reply(text)
    assert parsed.decision == BOUGHT, parsed.violations
    assert parsed.unwrapped == unwrapped


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # a thought that goes on, or comes again
        ("<think>Bitcoin rises", "breaks off in a thought"),
        (f"<think>Option A is {BUY}, but", "breaks off in a thought"),
        (f"So far so good. <reasoning>{BUY}", "breaks off in a thought"),
        (f"<think>a</thinking>{BUY}", "breaks off in a thought"),
        ("<|channel|>analysis<|message|>Buy " + BUY, "breaks off in a thought"),
        (f"{BUY}</think>", "no JSON object"),
        (f"{BUY} <think>or rather {SELL}</think>", "2 JSON objects"),
        (f"{BUY} <think>Hm.</think>", "unfinished thought"),
        (f"{SELL} <think>no</think> {BUY}", "2 JSON objects"),
        (f"{SELL} </think> {BUY} </think>", "2 JSON objects"),
        (f"a </think> b </think> {BUY}", "unfinished thought"),
        (f"a {{b </think> {BUY}", "not valid JSON"),
        (f"[THINK]{BUY}", "unfinished thought"),
        (f"◁think▷{BUY}", "unfinished thought"),
        ('<b>Okay.</b> <thinking >draft {"action": "hold"｝', "unfinished thought"),
        (f"｛{BUY[1:]}", "unfinished thought"),
        (f"［1］ {BUY}", "unfinished thought"),
        # another channel
        (f"<|channel|>commentary<|message|>{BUY}<|end|>", "unfinished thought"),
        (FINAL + f"{BUY}<|end|>{FINAL}", "unfinished thought"),
        (FINAL + f"{BUY}<|end|>{FINAL}{SELL}", "2 JSON objects"),
        # what was said to a tool
        (f"<|channel|>commentary to=functions.check<|message|>{BUY}<|call|>", "unfinished thought"),
        (SUBMIT.replace("{}", BUY).replace("submit_decision", "check"), "unfinished thought"),
        (SUBMIT.replace("{}", BUY).replace("submit_decision", "submit_order"), "unfinished thought"),
        (SUBMIT.replace("{}", BUY) + SUBMIT.partition("json")[0], "unfinished thought"),
        (f"<tool_call>{BUY}</tool_call>", "what a tool is called with"),
        (f"[TOOL_CALLS]check{BUY}", "what a tool is called with"),
        (f'<｜DSML｜invoke name="check">{BUY}', "what a tool is called with"),
        (f'<tool_call>{{"name": "submit", "arguments": {BUY}}}</tool_call>', "what a tool is called with"),
        # a second answer
        (f"lorem ```json {BUY} ``` ipsum ```json [1,2,3,True] ``` 42", "2 JSON objects"),
        (f"[{BUY}, {BUY}]", "reply: Input should be"),
        (f"[{BUY}, 1]", "reply: Input should be"),
        (f"[[{BUY}]]", "reply: Input should be"),
        (f"[{BUY}", "not valid JSON"),
        (f"{BUY} ｛", "unfinished thought"),
        (f"{BUY[:-1]}｝，｛{HOLD[1:]}", "not valid JSON"),
        (f"Okay <thinks> {BUY[:-1]}｝ no", "not valid JSON"),
        (json.dumps(json.dumps(BUY)), "not valid JSON"),
    ],
)  # fmt: skip
def test_whatever_leaves_a_doubt_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert reason in why(text)


def test_full_width_signs_inside_strings_are_left_alone() -> None:
    said = '｛"a：｛，"："\\"，｝"，"b"：［］｝'
    assert full_width_to_ascii(said) == '{"a：｛，":"\\"，｝","b":[]}'


def test_what_is_wrapped_is_found_to_the_letter() -> None:
    inner = '{"action": "hold", "rationale": "<think>```｛［ \\" </think>"}'
    assert unwrap(f"<think>x</think>\n```json\n{inner}\n``` [end]").text == inner
    with pytest.raises(Unreadable):
        unwrap("nothing")


thoughts = st.text(st.characters(exclude_characters="<"), max_size=60) | st.just(f"maybe {SELL} or {{")


@many
@given(st.sampled_from(["think", "thinking", "reasoning", "analysis"]), thoughts)
def test_whatever_is_thought_the_answer_behind_it_counts(tag: str, thought: str) -> None:
    assert parse_reply(f"<{tag}>{thought}</{tag}>{BUY}").decision == BOUGHT


@many
@given(
    st.sampled_from(["<think>{}</think>{}", "Hm. <reasoning>{}</reasoning>{}", ANALYSIS + FINAL + "{}"]),
    thoughts,
    st.data(),
)
def test_a_thought_that_breaks_off_is_never_a_decision(wrapper: str, thought: str, data: st.DataObject) -> None:
    whole = wrapper.format("{}", "\0").replace("{}", thought).replace("\0", BUY)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert parse_reply(cut).decision is None


# Each fills the 64 KiB that a reply may have; a walk that began anew at every sign would take minutes.
HOSTILE = {
    **{unit: unit for unit in ("{", "[", "{}", "[]", '{"', '"{', "{[", "{a}", "</think>", "<think>", "```", "</ ")},
    **{
        unit: unit
        for unit in ("［", "｛｝", "<|channel|>", "[1]```", "{'", "[[]", "}", '{"":', "\\", '"', "</think>{}")
    },
    "empty thoughts": "<think></think>",
    "thoughts without end": "<think>a",
    "objects behind a wide character": "漢😀" + "{}" * 30_000,
    "a fence and spaces": "```json" + " " * 60_000 + "[]",
    "escapes without end": '{"' + "\\" * 65_000,
    "full width and escapes": "［" + '"\\' * 30_000,
    "spaces in a tag": "{}</" + " " * 65_000,
    "spaces in a brace": "{" + " " * 65_000,
    "a long number": '{"a": ' + "1" * 65_000 + "}",
    "a long string": '{"a": "' + "{[" * 30_000 + '"}',
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_no_reply_takes_long_to_refuse(unit: str) -> None:
    text = (unit * (REPLY_BYTES_MAX // len(unit.encode())))[:REPLY_BYTES_MAX]
    started = time.process_time()
    why(text)
    assert time.process_time() - started < 3  # of the CPU, however busy the machine is
