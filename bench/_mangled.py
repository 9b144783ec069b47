"""Replies to read, sound and mangled, and a second reading of them that shares no code with the first."""

import json
import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

from agents.core.reply import parse_reply
from market.core.canonical import plain
from portfolio.core.decisions import Decision, decision_content

NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "USDT", "ВTCUSDT", "漢", "")
SAYINGS = (
    "",
    "rise",
    "“漢字”｛，｝",
    'a "quoted" word',
    "```json\n{}```",
    "<think>no</think>",
    '{"action": "hold"}',
    "\u2028\x7f",
)
NUMBERS = ("0.4", "1", "0", "1e-3", "-0.1", "0.333333333333333333", "999", "40")
BAD_NUMBERS = (
    "NaN",
    "-Infinity",
    "1e999",
    "1" * 5000,
    "1e99999999999999999999",
    ".4",
    "4.",
    "0,4",
    "1/3",
    '"0.4"',
    "true",
    "null",
)
WRAPPERS = (
    *("{}", "```json\n{}\n```", "Well:\n{}\nDone [so].", "\ufeff{}", "[{}]", "````{}```", "json\n{}", "{}</code>"),
    *("<think>{{or}} [1]</think>\n{}", "<reasoning>x</reasoning><decision>{}</decision>", "thought</think>{}"),
    "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>submit_decision\n```json\n{}\n```",
)
TOKENS = (
    *(
        "{",
        "}",
        "[",
        "]",
        '"',
        "\\",
        ":",
        ",",
        "｛",
        "｝",
        "［",
        "：",
        "，",
        "\u3000",
        "```",
        "```json\n",
        "\n",
        "\x00",
        "\ufeff",
    ),
    *("<think>", "</think>", "<reasoning>", "<|channel|>", "<|end|>", "<｜tool▁call▁begin｜>", "<tool_call>", "\ud800"),
    *(
        '"action"',
        '"hold"',
        '"rebalance"',
        '"allocations"',
        "null",
        "true",
        "NaN",
        "1e999",
        "9" * 400,
        "[" * 3000,
        "é😀",
    ),
)


# -- Replies to read ------------------------------------------------------------------------------


def valid(dice: random.Random) -> str:
    """The text of a decision that our schema takes."""
    saying = json.dumps(dice.choice(SAYINGS), ensure_ascii=dice.random() < 0.5)
    if dice.random() < 0.3:
        return f'{{"action": "hold", "rationale": {saying}}}'
    names = dice.sample(NAMES, dice.randint(1, len(NAMES)))
    weights = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {dice.choice(NUMBERS)}" for name in names)
    return f'{{"action": "rebalance", "allocations": {{{weights}}}, "confidence": 0.70, "rationale": {saying}}}'


def wrapped(text: str, dice: random.Random) -> str:
    wrapper = dice.choice(WRAPPERS)
    return wrapper.replace("{{", "{").replace("}}", "}").replace("{}", text, 1)


def never(dice: random.Random) -> str:
    """A reply of which nobody may make a decision, wrapped or not."""
    text = valid(dice)
    while '"hold", ' in text:
        text = valid(dice)
    broken: tuple[Callable[[], str], ...] = (
        lambda: text[: dice.randrange(len(text))],
        lambda: f"{text} {valid(dice)}",
        lambda: text.replace('"confidence": 0.70', f'"confidence": {dice.choice(BAD_NUMBERS[:-1])}'),
        lambda: text.replace('"confidence"', '"action": "hold", "confidence"'),
        lambda: text.replace('"confidence"', '"leverage": 3, "confidence"'),
        lambda: text.replace('"rebalance"', dice.choice(('"REBALANCE"', '"buy"', "rebalance", "null"))),
        lambda: text.replace('"allocations": {', '"allocations": [', 1),
        lambda: f'{{"decision": {text}}}',
        lambda: f"<think>{text}",
    )
    return dice.choice(broken)()


def mangled(dice: random.Random) -> str:
    """A wrapped decision to which anything may have happened."""
    text = wrapped(valid(dice), dice)
    for _ in range(dice.randint(0, 3)):
        at, to = sorted(dice.choices(range(len(text) + 1), k=2))
        changes = (
            *(text[:at] + text[at + 1 :], text[:at] + text[to:], text[:at], text[:to] + text[at:]),
            *(text[:at] + dice.choice(TOKENS) + text[at:], text[:at] + chr(dice.randrange(0x110000)) + text[at + 1 :]),
            *(text.swapcase(), json.dumps(text), wrapped(text, dice), text.replace("0.4", dice.choice(BAD_NUMBERS))),
        )
        text = dice.choice(changes)
    return text


# -- A second reading, which shares no code with the first ----------------------------------------


def confirmed(text: str, decision: Decision) -> bool:
    """Whether some object in the text, read by the book, says exactly this decision."""
    return any(said == decision_content(decision) for said in readings(text))


def readings(text: str) -> Iterator[dict]:
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, object_pairs_hook=_pairs)
    for body in _bodies(text):
        for at, sign in enumerate(body):
            if sign in "{｛":
                try:
                    value, _ = decoder.raw_decode(_ascii_outside_strings(body[at:]))
                    yield _by_hand(value)
                except (ValueError, ArithmeticError, RecursionError, KeyError, TypeError):
                    continue


def _bodies(text: str) -> Iterator[str]:
    yield text
    try:
        inner = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return
    if isinstance(inner, str):
        yield inner


def _ascii_outside_strings(text: str) -> str:
    signs, in_string, escaped = [], False, False
    for sign in text:
        if in_string:
            in_string, escaped = escaped or sign != '"', sign == "\\" and not escaped
        elif sign == '"':
            in_string = True
        else:
            sign = dict(zip("｛｝［］：，\u3000", "{}[]:, ", strict=True)).get(sign, sign)
        signs.append(sign)
    return "".join(signs)


def _pairs(pairs: list) -> dict:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _by_hand(said: dict) -> dict:
    """The decision in the words of `decision_content`; ValueError when the format does not allow it."""
    weights, confidence = said.get("allocations"), said.get("confidence")
    rationale = said.get("rationale", "")
    rules = (
        not said.keys() - {"action", "allocations", "confidence", "rationale"},
        said["action"] in ("hold", "rebalance"),
        weights is None or isinstance(weights, dict),
        all(isinstance(weight, Decimal) and abs(weight) <= 1000 for weight in (weights or {}).values()),
        bool(weights) == (said["action"] == "rebalance"),
        confidence is None or (isinstance(confidence, Decimal) and 0 <= confidence <= 1),
        isinstance(rationale, str) and len(rationale) <= 4000 and "\0" not in rationale,
    )
    if not all(rules):
        raise ValueError("not the format")
    return {
        "action": said["action"],
        "weights": {name: plain(weight) for name, weight in (weights or {}).items()},
        "confidence": None if confidence is None else plain(confidence),
        "rationale": rationale,
    }


def fuzz(replies: int, seed: int) -> dict[str, float]:
    """Read mangled replies, one in four of them broken for certain; what came of it."""
    dice = random.Random(seed)  # noqa: S311 - a game of dice
    found = {"replies": replies, "accepted": 0, "crashes": 0, "invalid_accepted": 0, "slowest_ms": 0.0}
    for _ in range(replies):
        is_broken = dice.random() < 0.25
        text = never(dice) if is_broken else mangled(dice)
        started = time.perf_counter()
        try:
            decision = parse_reply(text).decision
        except Exception as error:
            found["crashes"] += 1
            print(f"crash {error!r}: {ascii(text)[:300]}")
            continue
        found["slowest_ms"] = max(found["slowest_ms"], round((time.perf_counter() - started) * 1000, 1))
        if decision is not None:
            found["accepted"] += 1
            if is_broken or not confirmed(text, decision):
                found["invalid_accepted"] += 1
                print(f"accepted {ascii(text)[:300]}")
    return found
