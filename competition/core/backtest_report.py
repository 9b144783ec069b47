"""What one agent's backtest came to: figures of the whole curve, the curve thinned, the first orders and decisions."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from competition.core.backtest_curve import curve_of, held_curve, kept_curve
from competition.core.backtest_parameters import AgentSpec
from competition.core.backtest_result import DECISIONS_KEPT, TRADES_KEPT, AgentResult, DecisionLine, Trade
from competition.core.backtest_stage import Played, Stage, Turn
from competition.core.play import PlayedSeason
from market.core.canonical import plain, utc_text
from portfolio.core.orders import Fill
from portfolio.core.performance import ValueCurve, drawdowns, monthly_returns, performance, total_return
from portfolio.core.trips import Deal

BITCOIN = "BTCUSDT"
DRAWDOWNS_TOLD = 5
YARDSTICK_POINTS_MAX = 400


def yardsticks(stage: Stage) -> dict[str, ValueCurve]:
    """What doing nothing would have come to: bitcoin held, if it is a symbol, and all of them in equal parts."""
    names = tuple(stage.past.market)
    held = {"btc_hold": (BITCOIN,)} if BITCOIN in names else {}
    return {key: held_curve(stage, some) for key, some in {**held, "equal_weight": names}.items()}


def kept_yardsticks(curves: Mapping[str, ValueCurve], step_ms: int) -> dict[str, Any]:
    """The yardsticks as plain JSON values, to be drawn beside the agents: few points, both ends among them."""
    kept = {}
    for name, curve in curves.items():
        thinned = kept_curve(curve, step_ms)
        last = len(thinned.at_ms) - 1
        chosen = sorted({0, *range(last, 0, -max(1, -(-last // (YARDSTICK_POINTS_MAX - 1))))})
        deepest = next(iter(drawdowns(curve, 1)), None)
        kept[name] = {
            "at_ms": [thinned.at_ms[index] for index in chosen],
            "values": [thinned.values[index] for index in chosen],
            "final_value": float(curve.values[-1]),
            "total_return": total_return(curve),
            "max_drawdown": deepest.depth if deepest else 0.0,
        }
    return kept


def result_of(
    spec: AgentSpec, number: int, played: Played, stage: Stage, compared_with: Mapping[str, ValueCurve]
) -> AgentResult:
    """The result of one agent; `compared_with` are the yardsticks' curves by name."""
    fills = [fill for turn in played.turns for one in turn.record.executions for fill in one.fills]
    curve = curve_of(played, stage)
    return AgentResult(
        agent=spec.slug,
        name=spec.name,
        number=number,
        metrics=_metrics(played, curve, fills, compared_with),
        curve=kept_curve(curve, stage.past.step_ms),
        trades_count=len(fills),
        trades=[_trade(fill) for fill in fills[:TRADES_KEPT]],
        decisions_count=len(played.turns) + played.quiet,
        decisions=[_line(turn) for turn in islice(played.turns, DECISIONS_KEPT)],
        postings_sha256=postings_sha256(played),
    )


def postings_sha256(played: Played) -> str:
    """Hash over every journal, as of a season played in memory with this one entry."""
    return PlayedSeason(played.season, (), {played.agent: tuple(played.journals)}).postings_sha256()


def _metrics(
    played: Played, curve: ValueCurve, fills: list[Fill], compared_with: Mapping[str, ValueCurve]
) -> dict[str, Any]:
    deals = [Deal(fill.symbol, fill.side, fill.quantity, fill.quote_amount, fill.fee) for fill in fills]
    verdicts: dict[str, int] = {}
    for turn in played.turns:
        verdicts[turn.verdict.kind.value] = verdicts.get(turn.verdict.kind.value, 0) + 1
    return {
        **performance(curve, deals, compared_with).document(),
        "final_value": float(curve.values[-1]),
        "monthly": monthly_returns(curve),
        "drawdowns": [
            {"depth": one.depth, "peak_ms": one.peak_ms, "trough_ms": one.trough_ms, "recovered_ms": one.recovered_ms}
            for one in drawdowns(curve, DRAWDOWNS_TOLD)
        ],
        "verdicts": verdicts,
        "moments_without_decision": played.held,
        "decisions_near_target": played.quiet,
    }


def _trade(fill: Fill) -> Trade:
    return Trade(
        at=utc_text(fill.at),
        symbol=fill.symbol,
        side=fill.side.value,
        quantity=plain(fill.quantity),
        price=plain(fill.price),
        quote_amount=plain(fill.quote_amount),
        fee=plain(fill.fee),
    )


def _line(turn: Turn) -> DecisionLine:
    verdict, record = turn.verdict, turn.record
    decision = verdict.decision
    return DecisionLine(
        as_of=utc_text(turn.as_of),
        verdict=verdict.kind.value,
        reason=verdict.reason,
        weights={} if decision is None else {name: str(weight) for name, weight in decision.weights.items()},
        rationale="" if decision is None else decision.rationale,
        orders=record.orders,
        traded=plain(record.traded),
        skipped=[f"{one.side} {one.symbol}: {one.reason}" for one in record.skipped],
        violations=[f"{one.rule}: {one.detail}" for one in verdict.violations],
        brief=None if turn.brief is None else turn.brief.content,
    )


def lines_of(results: list[AgentResult]) -> Iterator[str]:
    """The results as a table of the figures that matter most."""
    head = f"{'agent':<20}{'value':>16}{'return':>10}{'a year':>10}{'drawdown':>10}"
    yield f"{head}{'Sharpe':>8}{'trades':>8}{'fees':>12}"
    for result in results:
        told = result.metrics
        deepest = told["max_drawdown"]
        yield (
            f"{result.agent:<20}{told['final_value']:>16,.2f}{_percent(told['total_return']):>10}"
            f"{_percent(told['annual_return']):>10}{_percent(-deepest['depth'] if deepest else 0.0):>10}"
            f"{'–' if told['sharpe'] is None else format(told['sharpe'], '.2f'):>8}"
            f"{result.trades_count:>8,}{told['fees']:>12,.2f}"
        )


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{fraction:+.1%}"
