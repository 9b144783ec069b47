"""When things are due. Cycle n begins at boundary n; market time runs along wall time at the season's pace."""

from datetime import datetime, timedelta

from competition.core.rules import Rules


def boundary(rules: Rules, number: int) -> datetime:
    """Wall-clock instant at which cycle `number` (from 1) is due."""
    return rules.starts_at + timedelta(seconds=rules.cycle_s) * (number - 1)


def last_due(rules: Rules, now: datetime) -> int:
    """Number of the newest cycle whose boundary has passed: 0 before the season, at most `rules.cycles`."""
    if now < rules.starts_at:
        return 0
    return min(rules.cycles, (now - rules.starts_at) // timedelta(seconds=rules.cycle_s) + 1)


def market_time(rules: Rules, at: datetime) -> datetime:
    """The market instant that belongs to a wall-clock instant, cut to the millisecond."""
    passed_ms = (at - rules.starts_at) // timedelta(milliseconds=1)
    return rules.market_starts_at + timedelta(milliseconds=passed_ms * rules.market_cycle_s // rules.cycle_s)


def effective(planned: datetime, now: datetime, tolerance_s: int) -> datetime:
    """The planned instant when we are on time, the present one when we are late: prices are never back-dated."""
    return planned if now - planned <= timedelta(seconds=tolerance_s) else now


def too_late_to_open(rules: Rules, number: int, now: datetime) -> bool:
    """Whether cycle `number` can only be recorded as missed: its late window has passed."""
    return now - boundary(rules, number) > timedelta(seconds=rules.late_s)


def asking_ends(rules: Rules, opened_at: datetime) -> datetime:
    """Deadline for replies, and the planned instant of the trade prices."""
    return opened_at + timedelta(seconds=rules.ask_s)


def trading_ends(rules: Rules, deadline_at: datetime) -> datetime:
    """After this instant nothing is traded any more in the cycle; what was decided is void, with the reason."""
    return deadline_at + timedelta(seconds=rules.trade_window_s)
