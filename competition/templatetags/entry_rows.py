"""What an entry decided and traded, drawn as the rows of a board are."""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.addresses import address
from competition.pages.backtest_agent import TradeLine as BacktestTrade
from competition.pages.history import DecisionLine, TradeLine
from competition.pages.names import EntryName
from competition.templatetags.drawings import instant
from competition.templatetags.labels import mark

register = template.Library()

_DECISION = """\
<li>
<p class="when">
<a href="{href}">Week {line.cycle}</a>
{at}
{roles}</p>
{mark}
<p class="what-it-did">
{did}.
{quote}{weights}</p>
<dl>
<div><dt>Traded</dt><dd>{line.traded}</dd></div>
<div><dt>Fee</dt><dd>{line.fees}</dd></div>
{cost}<div><dt>Value after</dt><dd>{line.value}</dd></div>
</dl>
</li>
"""
_TRADE = """\
<tr>
{week}<td class="side-{line.side}">{line.side}</td>
<td>{symbol}</td>
<td class="num">{line.amount}</td>
<td class="num">{line.quantity}</td>
<td class="num">{line.price}</td>
{slippage}<td class="num">{fee}</td>
<td>{at}</td>
</tr>
"""


@register.simple_tag
def decision_lines(lines: Sequence[DecisionLine], season: str, entry: EntryName, has_cost: bool) -> SafeString:
    """Decisions of an entry, each leading to its turn, and in a firm to its roles."""
    drawn = [
        _DECISION.format(
            line=line,
            href=address("turn", season, line.cycle, entry.slug),
            at=instant(line.at),
            roles=_roles(line, season, entry) if entry.kind == "firm" else "",
            mark=mark(line.deed.mark),
            did=escape(line.deed.did),
            quote=f"<q>{escape(line.deed.quote)}</q>\n" if line.deed.quote else "",
            weights=f'<span class="weights">{escape(line.weights)}</span>\n' if line.weights else "",
            cost=f"<div><dt>AI cost</dt><dd>{line.ai_cost}</dd></div>\n" if has_cost else "",
        )
        for line in lines
    ]
    return mark_safe("".join(drawn))  # noqa: S308  # what is not ours is escaped, and all else is figures


def _roles(line: DecisionLine, season: str, entry: EntryName) -> str:
    return f'<a href="{address("firm", season, entry.slug, line.cycle)}">The six roles</a>\n'


@register.simple_tag
def trade_rows(lines: Sequence[TradeLine | BacktestTrade], season: str = "", weekly_of: str = "") -> SafeString:
    """Trades; those of an entry, `weekly_of` by slug, with the week of each that leads to its turn."""
    drawn = [
        _TRADE.format(
            line=line,
            week=_week(line, season, weekly_of) if isinstance(line, TradeLine) and weekly_of else "",
            symbol=escape(line.symbol),
            slippage=f'<td class="num">{line.slippage}</td>\n' if isinstance(line, TradeLine) and weekly_of else "",
            fee=escape(line.fee),
            at=instant(line.at),
        )
        for line in lines
    ]
    return mark_safe("".join(drawn))  # noqa: S308  # symbols and assets are escaped, and all else is figures


def _week(line: TradeLine, season: str, slug: str) -> str:
    return f'<th scope="row"><a href="{address("turn", season, line.cycle, slug)}">{line.cycle}</a></th>\n'
