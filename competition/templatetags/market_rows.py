"""The rows of a market's tables and the choice of whose trades they show, drawn as those of a board are."""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.addresses import address
from competition.pages.figures import Moment
from competition.pages.history import TradeLine
from competition.pages.market import Held
from competition.pages.names import EntryName
from competition.templatetags.board_rows import linked
from competition.templatetags.drawings import instant

register = template.Library()

_TRADE = """\
<tr>
<th scope="row">{who}</th>
<td class="side-{line.side}">{line.side}</td>
<td class="num">{line.amount}</td>
<td class="num">{line.price}</td>
<td class="num">{line.quantity}</td>
<td class="num">{fee}</td>
<td class="num"><a href="{turn}">{line.cycle}</a></td>
<td>{at}</td>
</tr>
"""


@register.simple_tag
def entry_options(entries: Sequence[EntryName], chosen: str) -> SafeString:
    """Everybody as a choice; `chosen` is a slug."""
    drawn = []
    for entry in entries:
        selected = " selected" if entry.slug == chosen else ""
        drawn.append(f'<option value="{escape(entry.slug)}"{selected}>{escape(entry.name)}</option>')
    return mark_safe("\n".join(drawn))  # noqa: S308  # names and slugs are escaped


@register.simple_tag
def everybodys_trades(lines: Sequence[TradeLine], season: str) -> SafeString:
    """Trades with who made them, each leading to its turn."""
    drawn = [
        _TRADE.format(
            line=line,
            who=linked(line.entry, address("entry", season, line.entry.slug)),
            fee=escape(line.fee),
            turn=address("turn", season, line.cycle, line.entry.slug),
            at=instant(line.at),
        )
        for line in lines
    ]
    return mark_safe("".join(drawn))  # noqa: S308  # names and assets are escaped, and all else is figures


@register.simple_tag
def candle_rows(rows: Sequence[tuple[Moment, Sequence[str]]]) -> SafeString:
    """Prices, each with the instant it is of."""
    drawn = [f'<tr>\n<th scope="row">{instant(at)}</th>\n{_cells(values)}\n</tr>\n' for at, values in rows]
    return mark_safe("".join(drawn))  # noqa: S308  # instants and figures


@register.simple_tag
def holder_rows(lines: Sequence[Held], season: str) -> SafeString:
    """Who held how much, week by week."""
    drawn = []
    for line in lines:
        who = f'<a href="{address("entry", season, line.entry.slug)}">{escape(line.entry.name)}</a>'
        drawn.append(f'<tr>\n<th scope="row">{who}</th>\n{_cells(line.shares)}\n</tr>\n')
    return mark_safe("".join(drawn))  # noqa: S308  # names are escaped, and all else is figures


def _cells(values: Sequence[str]) -> str:
    return "".join([f'<td class="num">{value}</td>' for value in values])
