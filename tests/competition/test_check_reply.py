"""`manage.py check_reply`: what a season would make of raw replies, one JSON line each."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from agents.core.reply import REPLY_BYTES_MAX
from competition.models import Season
from competition.services.seasons import draft_season
from tests.live.stage import weekly_rules
from tests.notation import HOLD, R

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def season(db: None) -> Season:
    """A season whose rules differ from the defaults, so that a test sees that its own rules count."""
    return draft_season("spring", "Spring", weekly_rules(max_weight="0.5", max_turnover="0.8"), ())


def checked(*arguments: object) -> list[dict[str, object]]:
    out = io.StringIO()
    call_command("check_reply", "--season", "spring", *map(str, arguments), stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def why_refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as refused:
        checked(*arguments)
    assert refused.value.returncode == 1
    assert "\n" not in str(refused.value)
    return str(refused.value)


def written(folder: Path, *lines: object) -> Path:
    path = folder / "replies.jsonl"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def type_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


# -- What is printed ------------------------------------------------------------------------------


def test_each_reply_gets_a_line_with_its_outcome_and_what_else_was_said_of_it(season: Season, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"id": "a", "raw": HOLD, "model": "m/1"},
        "\n",
        {"id": "b", "raw": f"```json\n{R('BTC 40%', 'ü')}\n```"},
        {"id": "c", "raw": "Sorry."},
    )
    first, second, third = checked("--jsonl", path)
    hold = {"action": "hold", "weights": {}, "confidence": None, "rationale": ""}
    assert first == {
        "id": "a",
        "model": "m/1",
        "line": 1,
        "outcome": "hold",
        "decision": hold,
        "violations": [],
        "unwrapped": [],
    }
    assert (second["id"], second["line"], second["outcome"]) == ("b", 3, "rebalance")
    assert second["decision"]["weights"] == {"BTCUSDT": "0.4"}
    assert second["unwrapped"] == ["code fence"]
    assert (third["outcome"], third["decision"]) == ("rejected", None)
    assert third["violations"] == [{"rule": "reply_is_readable", "detail": "the reply holds no JSON object"}]


@pytest.mark.parametrize(
    ("weights", "rules"),
    [
        ("BTC 50%, ETH 30%", []),
        ("BTC 60%", ["weight_below_cap"]),
        ("BTC 45%, ETH 45%", ["turnover_below_cap"]),  # counted from a book that is all cash
        ("DOGE 10%", ["symbols_are_listed"]),
        ("BTC 50%, USDT 40%", ["total_is_one"]),
    ],
)
def test_the_rules_are_those_of_the_season(season: Season, tmp_path: Path, weights: str, rules: list[str]) -> None:
    (told,) = checked("--jsonl", written(tmp_path, {"raw": R(weights)}))
    assert [violation["rule"] for violation in told["violations"]] == rules
    assert told["outcome"] == ("rejected" if rules else "rebalance")
    assert told["decision"]  # also a rejected one is shown when it could be read


def test_a_reply_marked_as_truncated_is_rejected_whatever_it_says(season: Season, tmp_path: Path) -> None:
    (told,) = checked("--jsonl", written(tmp_path, {"raw": HOLD, "truncated": True}))
    assert (told["outcome"], told["decision"]) == ("rejected", None)
    assert told["violations"][0]["rule"] == "reply_is_complete"


def test_a_field_named_like_one_of_the_result_is_echoed_apart(season: Season, tmp_path: Path) -> None:
    (told,) = checked("--jsonl", written(tmp_path, {"raw": HOLD, "outcome": "repair", "line": 9}))
    assert (told["outcome"], told["line"]) == ("hold", 1)
    assert told["given"] == {"outcome": "repair", "line": 9}


def test_text_that_no_database_keeps_is_judged_as_it_would_be_kept(season: Season, tmp_path: Path) -> None:
    (told,) = checked("--jsonl", written(tmp_path, {"raw": '{"action": "hold", "rationale": "a\ud800b"}'}))
    assert told["outcome"] == "hold"
    assert set(told["decision"]["rationale"]) == {"a", "\ufffd", "b"}


def test_an_empty_file_has_nothing_to_say(season: Season, tmp_path: Path) -> None:
    assert checked("--jsonl", written(tmp_path)) == []


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (R("BTC 40%").encode(), "rebalance"),
        (f"Well:\n{HOLD}\n".encode(), "hold"),
        ("\ufeff{}".encode(), "rejected"),
        (b"", "rejected"),
        ("ü".encode() * REPLY_BYTES_MAX, "rejected"),
    ],
)
def test_standard_input_is_one_reply(
    season: Season, monkeypatch: pytest.MonkeyPatch, content: bytes, outcome: str
) -> None:
    type_in(monkeypatch, content)
    (told,) = checked()
    assert (told["line"], told["outcome"]) == (1, outcome)


# -- Refusals -------------------------------------------------------------------------------------


def test_an_unknown_season_is_refused_with_those_there_are(season: Season) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("check_reply", "--season", "autumn")
    assert str(refused.value) == "There is no season 'autumn'. There are: spring."


def test_without_any_season_it_says_so(db: None) -> None:
    assert why_refused() == "There is no season 'spring'. There are: none yet."


def test_a_season_whose_rules_contradict_themselves_is_refused(season: Season) -> None:
    Season.objects.filter(slug="spring").update(rules={**season.rules, "max_turnover": "0"})
    assert "max_turnover of 0 forbids every trade" in why_refused()


def test_a_file_that_cannot_be_read_is_refused(season: Season, tmp_path: Path) -> None:
    assert (
        why_refused("--jsonl", tmp_path / "absent") == f"{tmp_path}/absent cannot be read: No such file or directory."
    )
    assert why_refused("--jsonl", tmp_path) == f"{tmp_path} cannot be read: Is a directory."


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{'raw': 1}\n", "line 2: not JSON: Expecting property name"),
        ('{"raw": "', "line 2: not JSON: Unterminated string"),
        ("[" * 100_000, "line 2: not JSON: nested too deeply"),
        ('{"raw": "", "cost": NaN}', "line 2: not JSON: NaN is no number"),
        ('{"raw": "", "cost": 1e999}', "line 2: not JSON: 1e999 is no number"),
        ('"raw"', "line 2: no reply; write an object"),
        ("[]", "line 2: no reply"),
        ('{"text": "x"}', "line 2: no reply"),
        ('{"raw": null}', "line 2: no reply"),
        ('{"raw": {}}', "line 2: no reply"),
        ('{"raw": "", "truncated": "yes"}', "line 2: truncated is neither true nor false"),
        (" " * (8 * 1024 * 1024 + 1), "line 2: longer than 8388608 bytes"),
    ],
)
def test_a_line_that_holds_no_reply_is_refused_by_number(season: Season, tmp_path: Path, line: str, says: str) -> None:
    path = written(tmp_path, {"raw": HOLD}, line)
    assert f"{path}, {says}" in why_refused("--jsonl", path)


def test_bytes_that_are_no_text_are_refused(season: Season, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b'{"raw": "\xff"}')
    assert "line 1: not JSON: 'utf-8' codec can't decode byte 0xff" in why_refused("--jsonl", path)
    type_in(monkeypatch, b"{}\xff")
    assert why_refused() == "Standard input is not UTF-8 text: byte 2 cannot be read."


# -- As a user types it ---------------------------------------------------------------------------


def test_whoever_stops_reading_early_gets_no_traceback(own_database: str, tmp_path: Path) -> None:
    draft_season("spring", "Spring", weekly_rules(), ())
    path = written(tmp_path, *[{"raw": HOLD, "n": n, "note": "x" * 500} for n in range(3000)])
    command = [sys.executable, "manage.py", "check_reply", "--season", "spring", "--jsonl", str(path)]
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{own_database}").geturl()
    environment = {**os.environ, "DATABASE_URL": address}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert json.loads(running.stdout.readline())["outcome"] == "hold"
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0
